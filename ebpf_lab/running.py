"""What a trace holds while it runs: programs in the kernel, links, readers, and the collector.

Everything is pushed on one stack as it is opened, so that a failure half-way and the ordinary end release
the same things in the same order: links first, then readers, then maps and programs.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from ebpf_lab.attach import attach
from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.backends.loaded import Loaded, LoadedMap, LoadedStream, close_all
from ebpf_lab.collect import Collected, Collector, Reader
from ebpf_lab.command import Command
from ebpf_lab.errors import AttachError, LabError, Mark, MissingPrivilege, UsageProblem
from ebpf_lab.following import fill_shapes, follows, launching
from ebpf_lab.frame.calls.files import Files
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.held import Held
from ebpf_lab.host import targets
from ebpf_lab.host.syscalls import MapType
from ebpf_lab.host.targets import Target
from ebpf_lab.inside.program import ProgramCode, Samples
from ebpf_lab.inspection import Kernel
from ebpf_lab.names import Names, RunningMachine
from ebpf_lab.own_events import filter_for
from ebpf_lab.progress import step
from ebpf_lab.readers.children import ChildTracker
from ebpf_lab.readers.counts import ProgramCounts, read_losses
from ebpf_lab.readers.elements import lookup, update
from ebpf_lab.readers.mappings import MappingRecorder
from ebpf_lab.readers.maps import MapContents, read_map, read_stacks, readable, value_layout
from ebpf_lab.readers.perfbuf import PerfBuffer
from ebpf_lab.readers.printk import PrintkReader
from ebpf_lab.readers.ringbuf import RingBuffer
from ebpf_lab.readers.samples import Sampler
from ebpf_lab.results import Account, MapsRead, Results, StreamBytes
from ebpf_lab.source import oversights
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.probe_place import place
from ebpf_lab.source.spec import Program, ProgramSpec
from ebpf_lab.stats import ProgramStats
from ebpf_lab.tape import Tape
from ebpf_lab.trace_maps import refused
from ebpf_lab.watching import Glimpse, Watch

_PERF_PAGES = 256
"""Pages of each CPU's perf buffer: 1 MiB with 4 KiB pages, room for 250 events of 4 KiB each."""

_NOT_TABLES = (MapType.RINGBUF, MapType.PERF_EVENT_ARRAY, MapType.STACK_TRACE)


class Running:
    """A loaded and attached text with its collector at work.

    Parameters
    ----------
    spec : ProgramSpec
    events : int or None
        Events of the main stream after which ``on_end`` is called.
    keep : int
        Bytes of events to keep.
    only : bool
        Keep only events of the command given to :meth:`launch`.
    on_end : callable
        Called from the collector's thread when there are enough events, or when it failed.
    tape : Tape, optional
        What a recording needs is left there.
    before_attaching : callable, optional
        Called once everything is compiled and loaded, and nothing is attached.
    watches : sequence of Watch
        Told of every event.
    hot : bool
        Take samples of where the processors are.
    """

    def __init__(
        self,
        spec: ProgramSpec,
        *,
        events: int | None,
        keep: int,
        only: bool,
        on_end: Callable[[], None],
        tape: Tape | None = None,
        before_attaching: Callable[[], None] = lambda: None,
        watches: Sequence[Watch] = (),
        hot: bool = False,
    ) -> None:
        written = spec
        step("looking for where the programs go")
        spec, places, self._left_out = placed(written)
        self._spec = spec
        self._links: list[int] = []
        self._tape = tape
        with contextlib.ExitStack() as opening:
            self._stack = opening
            step(f"compiling the {spec.dialect.value} dialect")
            compiled = backend_for(spec.dialect)(spec, BuildOptions())
            try:
                if not spec.programs:
                    raise UsageProblem(
                        "there is no BPF program in this text",
                        why="it compiles, but no function of it was recognised as one",
                        hint="name the function and where it goes with --attach FN=PROBE",
                    )
                # As it was written: a program that was left out is one nevertheless.
                oversights.check(written)
                step("loading: the kernel verifies the programs")
                self._loaded: Loaded = compiled.load(places)
            finally:
                compiled.close()
            opening.callback(self._loaded.close)
            _check_types(spec, self._loaded)
            fill_shapes(self._loaded.maps)
            before_attaching()
            self._files = Files({}, "")
            self._launched = False
            self._counts = opening.enter_context(
                ProgramCounts({program.function: program.fd for program in self._loaded.programs})
            )
            self._tracker = opening.enter_context(ChildTracker()) if only else None
            self._mappings = self._record_mappings()
            self._sampler = self._sample() if hot else None
            self._collector = Collector(
                [self._open(stream) for stream in self._loaded.streams],
                keep=keep,
                enough=events,
                on_enough=on_end,
                alongside=self._drain_alongside,
                watches=watches,
            )
            self._held = Held(self._loaded.streams, self._collector, lambda: read_losses(self._loaded.losses))
            opening.callback(self._collector.stop)
            self._collector.start()
            opening.callback(close_all, self._links)
            if tape is not None:
                tape.begin()
            self._clock = TraceClock.now()
            step("attaching")
            for program in self._loaded.programs:
                try:
                    self._links += attach(program, places[program.function])
                except LabError as error:
                    raise _marked(error, spec, program.function) from None
            self._stack = opening.pop_all()

    def _record_mappings(self) -> MappingRecorder | None:
        if not any(each.type == MapType.STACK_TRACE for each in self._loaded.maps):
            return None
        try:
            return self._stack.enter_context(MappingRecorder())
        except MissingPrivilege:
            return None  # functions of processes that still run at the end have names all the same

    def _sample(self) -> Sampler:
        compiled = [each for each in self.codes if each.native_size]
        if not compiled:
            raise self.kernel.uncompiled()
        if any(each.hidden for each in compiled):
            raise self.kernel.hidden("see where a program's time goes")
        made = Sampler([function for each in compiled for function in each.native])
        self._stack.callback(made.close)
        return made

    def _drain_alongside(self) -> None:
        if self._mappings is not None:
            self._mappings.drain()
        if self._sampler is not None:
            self._sampler.drain()

    def _open(self, stream: LoadedStream) -> Collected:
        reader: Reader
        if stream.map is None:
            reader = PrintkReader()
        elif stream.kind == "ringbuf":
            reader = RingBuffer(stream.map.fd, stream.map.max_entries)
        else:
            reader = PerfBuffer(stream.map.fd, _PERF_PAGES)
        self._stack.callback(reader.close)
        return Collected(
            stream.name,
            reader,
            filter_for(stream, self._tracker) if self._tracker else None,
            self._tape.noting(stream) if self._tape else None,
        )

    @property
    def codes(self) -> tuple[ProgramCode, ...]:
        """What the kernel made of the programs."""
        return tuple(each.code for each in self._loaded.programs if each.code is not None)

    @property
    def warnings(self) -> tuple[Mark, ...]:
        """Places in the text that the compiler warned of."""
        return self._loaded.warnings

    @property
    def kernel(self) -> Kernel:
        """The kernel that they are in."""
        return Kernel.running()

    @property
    def samples(self) -> Samples | None:
        """Where the processors were found, None unless that was asked for."""
        return self._sampler.samples() if self._sampler is not None else None

    def launch(self, command: Command, on_end: Callable[[], None]) -> None:
        """Start the command; ``on_end`` is called, from another thread, when it has ended."""
        self._files = Files(command.descriptors(), os.getcwd())
        self._launched = True
        if self._tape is not None:
            self._tape.inherited, self._tape.directory = command.descriptors(), os.getcwd()

        def start() -> int:
            return command.start(on_end, launching(self._loaded.maps))

        if self._tracker is None:
            start()
        else:
            self._tracker.launch(start)
        # The stack would end a command only after its probes: the other way round when something fails.
        self._stack.callback(command.stop)

    def detach(self) -> None:
        """Detach every program, then collect what is still in the buffers.

        Raises
        ------
        Exception
            What the collector failed with.
        """
        close_all(self._links)
        self._collector.stop()
        if self._collector.error is not None:
            raise self._collector.error

    def take(self) -> dict[str, pd.DataFrame]:
        """Frames of what came since the last time, which is then kept no longer."""
        streams = self._held.hand_out()
        # Of the maps, what names the stack ids in events; reading them all each time would cost much.
        stacks = [each for each in self._loaded.maps if each.type == MapType.STACK_TRACE]
        # What its calls do to descriptors, the next portion's must know.
        portion = self._results(streams, _read(stacks), {}, self._files, 0.0)
        frames = portion.frames
        self._held.taken = portion.taken()
        return frames

    def glimpse(self, seconds: float) -> Glimpse:
        """What is known of the streams without decoding, ``seconds`` after the start."""
        return Glimpse(seconds, self._held.counts(), self._clock, RunningMachine({}))

    @property
    def maps(self) -> tuple[LoadedMap, ...]:
        """The maps that hold elements."""
        return tuple(each for each in self._loaded.maps if readable(each))

    def read_map(self, source: LoadedMap, limit: int) -> MapContents:
        """A map's elements, about ``limit`` bytes of them at most."""
        return read_map(source, limit)

    def read_value(self, source: LoadedMap, key: bytes) -> bytes | None:
        """The value under a key, of all CPUs; None where there is none."""
        cpus, stride = value_layout(source)
        try:
            return lookup(source.fd, key, cpus * stride)
        except OSError as error:
            raise refused(source, error) from error

    def write_value(self, source: LoadedMap, key: bytes, value: bytes) -> None:
        """Set the value under a key, of all CPUs."""
        try:
            update(source.fd, key, value)
        except OSError as error:
            raise refused(source, error) from error

    def results(self, seconds: float) -> Results:
        """What came so far and was not taken, ``seconds`` after the start."""
        runs = {
            name: ProgramStats(count.runs, count.ns_per_run, count.missed)
            for name, count in self._counts.read().items()
        }
        return self._results(
            self._held.copy(), _read(self._loaded.maps), runs, copy.deepcopy(self._files), seconds
        )

    def _results(
        self,
        streams: Sequence[StreamBytes],
        maps: MapsRead,
        programs: Mapping[str, ProgramStats],
        files: Files,
        seconds: float,
    ) -> Results:
        names: Names = RunningMachine(self._mappings.known() if self._mappings else {})
        return Results(
            spec=self._spec,
            streams=streams,
            account=Account(
                maps=maps,
                programs=programs,
                left_out=self._left_out,
                uncounted=self._counts.why,
                seconds=seconds,
                clock=self._clock,
                nobody_followed=follows(self._loaded.maps) and not self._launched,
                filtered=self._tracker is not None,
                unseen=self._tracker.lost if self._tracker else 0,
                unmapped=self._mappings.lost if self._mappings else 0,
                remarks=self._tape.remarks() if self._tape else (),
            ),
            files=files,
            names=self._tape.names(names) if self._tape else names,
        )

    def close(self) -> None:
        """Release everything; safe to call again."""
        self._stack.close()


def _read(maps: Sequence[LoadedMap]) -> MapsRead:
    """What is in the maps now; those of buffers hold nothing else than events."""
    return MapsRead(
        tables=[(each, read_map(each)) for each in maps if each.type not in _NOT_TABLES],
        stacks=[(each, read_stacks(each)) for each in maps if each.type == MapType.STACK_TRACE],
    )


def placed(spec: ProgramSpec) -> tuple[ProgramSpec, dict[str, Target], dict[Probe, str]]:
    """Find where each program goes, and leave out those that go nowhere and need not.

    Returns
    -------
    spec : ProgramSpec
        With the programs that have a place.
    places : dict
        Their places by function.
    left_out : dict
        The probes that there are none of here, and why.

    Raises
    ------
    LabError
        As :func:`ebpf_lab.host.targets.resolve`; also where every program could be left out.
    """
    programs: list[Program] = []
    places: dict[str, Target] = {}
    left_out: dict[Probe, str] = {}
    missing: AttachError | None = None
    for program in spec.programs:
        probe = program.probe and replace(program.probe, optional=False)
        if program.probe and probe:
            try:
                places[program.function] = targets.resolve(probe)
            except LabError as error:
                if not program.probe.optional or not isinstance(error, AttachError):
                    raise _marked(error, spec, program.function) from None
                left_out[probe] = error.what
                missing = missing or error
                continue
        programs.append(replace(program, probe=probe))
    if missing and not programs:
        raise missing
    return replace(spec, programs=tuple(programs)), places, left_out


def _marked(error: LabError, spec: ProgramSpec, function: str) -> LabError:
    """The error with the probe marked in the text, unless it marks something already."""
    program = next(each for each in spec.programs if each.function == function)
    error.where = error.where or place(program, spec.text)
    return error


def _check_types(spec: ProgramSpec, loaded: Loaded) -> None:
    """Refuse an event type that the user named and the text does not have."""
    given = {stream.name: stream for stream in spec.streams if stream.given}
    for stream in loaded.streams:
        if stream.name in given and not stream.types:
            raise UsageProblem(
                f"events of {stream.name} cannot be {', '.join(given[stream.name].c_types)}",
                why=stream.why,
                hint="--event STREAM=STRUCT names a struct or typedef of the text",
            )

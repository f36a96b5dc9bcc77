"""A recording in the place of the kernel: its events take the same way, by the collector, into frames."""

from __future__ import annotations

import copy
import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.collect import Collected, Collector
from ebpf_lab.command import Command
from ebpf_lab.errors import LabError, Mark, UsageProblem
from ebpf_lab.frame.calls.files import Files
from ebpf_lab.held import Held
from ebpf_lab.inside.program import ProgramCode
from ebpf_lab.inspection import Kernel
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.maps import MapContents
from ebpf_lab.recordings import limits
from ebpf_lab.recordings.model import Outcome, RecordedStream, Recording
from ebpf_lab.recordings.names import RecordedNames
from ebpf_lab.results import Account, MapsRead, Results, StreamBytes
from ebpf_lab.source.spec import ProgramSpec
from ebpf_lab.stats import ProgramStats
from ebpf_lab.watching import Glimpse, Watch

_CONTROL = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SECOND = 1_000_000_000


class Replaying:
    """A recorded trace that runs again.

    Parameters
    ----------
    recording : Recording
    spec : ProgramSpec
        What its text asks for.
    pace : float or None
        How many times as fast as it was; None for all of it at once.
    hold : bool
        Go on when everything has come, as a trace does that nothing but Stop ends.
    on_end : callable
        Called when everything has come.
    output : callable or None
        Receives what the command printed, at the end.
    watches : sequence of Watch
        Told of every event.

    Raises
    ------
    LabError
        The error that was recorded.
    """

    def __init__(
        self,
        recording: Recording,
        spec: ProgramSpec,
        *,
        pace: float | None,
        hold: bool,
        on_end: Callable[[], None],
        output: Callable[[bytes], None] | None = None,
        watches: Sequence[Watch] = (),
    ) -> None:
        if recording.outcome is None:
            raise recorded_error(recording)
        self._recording, self._outcome = recording, recording.outcome
        self._spec = _attached(spec, recording.outcome)
        self._pace = pace
        self._hold = hold
        self._on_end = on_end
        self._output = output
        self._began = time.monotonic_ns()
        self._stopped: float | None = None
        self._files = Files(self._outcome.inherited, self._outcome.directory)
        self._names = RecordedNames(self._outcome.names, recording.made)
        self._readers = [RecordedReader(each, self._now) for each in self._outcome.streams]
        self._collector = Collector(
            [
                Collected(each.stream.name, reader)
                for each, reader in zip(self._outcome.streams, self._readers, strict=True)
            ],
            keep=limits.CONTENT,
            enough=None,
            on_enough=on_end,
            alongside=self._look_for_end,
            watches=watches,
        )
        self._held = Held([each.stream for each in self._outcome.streams], self._collector)
        self._collector.start()
        if pace is None and not hold:
            on_end()

    def _now(self) -> float:
        """Nanoseconds of the recording that have passed."""
        if self._stopped is not None:
            return self._stopped
        return math.inf if self._pace is None else (time.monotonic_ns() - self._began) * self._pace

    def _look_for_end(self) -> None:
        if not self._hold and self._now() >= self._outcome.account.seconds * _SECOND:
            self._on_end()

    @property
    def codes(self) -> Sequence[ProgramCode]:
        """What the kernel made of the programs."""
        return self._outcome.programs.codes

    @property
    def samples(self) -> None:
        """None: where processors were found is not recorded."""

    @property
    def warnings(self) -> Sequence[Mark]:
        """Places in the text that the compiler warned of."""
        return self._outcome.warnings

    @property
    def kernel(self) -> Kernel:
        """The kernel that they were in."""
        names, programs = self._outcome.names.kernel, self._outcome.programs

        def missing(what: str) -> LabError:
            return absent(self._recording, what)

        return Kernel(
            self._recording.made.machine,
            lambda address: names.get(address, ""),
            lambda: programs.call_base,
            lambda action: missing("bytecode" if "bytecode" in action else "native"),
            lambda: missing("native"),
        )

    def launch(self, command: Command, on_end: Callable[[], None]) -> None:
        """Nothing: the command ran where the recording was made."""

    def detach(self) -> None:
        """End the events."""
        self._stopped = self._now()
        self._collector.stop()
        if self._collector.error is not None:
            raise self._collector.error
        if self._output is not None and self._outcome.output:
            # What a terminal would obey is shown: whoever made the recording may have meant harm.
            self._output(_CONTROL.sub(lambda found: b"\\x%02x" % found[0][0], self._outcome.output))

    def take(self) -> dict[str, pd.DataFrame]:
        """Frames of what came since the last time, which is then kept no longer."""
        streams = self._held.hand_out()
        stacks = MapsRead(stacks=self._outcome.account.maps.stacks)
        portion = self._results(streams, replace(self._outcome.account, maps=stacks), self._files)
        frames = portion.frames
        self._held.taken = portion.taken()
        return frames

    def glimpse(self, seconds: float) -> Glimpse:
        """What is known without decoding anything."""
        counts = tuple(
            (stream, replace(stats, **reader.unrecorded()))
            for (stream, stats), reader in zip(self._held.counts(), self._readers, strict=True)
        )
        return Glimpse(seconds * (self._pace or 1), counts, self._outcome.account.clock, self._names)

    @property
    def maps(self) -> Sequence[LoadedMap]:
        """The maps that were recorded."""
        return [source for source, contents in self._outcome.account.maps.tables if not contents.why]

    def read_map(self, source: LoadedMap, limit: int) -> MapContents:
        """As it was at the recording's end."""
        return next(
            contents for each, contents in self._outcome.account.maps.tables if each.name == source.name
        )

    def read_value(self, source: LoadedMap, key: bytes) -> bytes | None:
        """None that could be changed."""
        raise UsageProblem(f"{source.name} cannot be changed: it is recorded")

    def write_value(self, source: LoadedMap, key: bytes, value: bytes) -> None:
        """Nothing: there is no program to find it."""
        self.read_value(source, key)

    def results(self, seconds: float) -> Results:
        """What came so far and was not taken."""
        account = self._outcome.account
        # By the clock that ends the events: by the caller's, which began later, they might seem unfinished.
        passed = self._now() / _SECOND
        if passed < account.seconds:
            account = replace(
                account,
                seconds=passed,
                programs={name: ProgramStats(None, None) for name in account.programs},
                uncounted="the recording knows runs of the whole trace alone",
                remarks=(*account.remarks, *_of_the_end(account.maps)),
            )
        return self._results(self._held.copy(), account, copy.deepcopy(self._files))

    def _results(self, streams: Sequence[StreamBytes], account: Account, files: Files) -> Results:
        whole = [
            replace(each, stats=replace(each.stats, **reader.unrecorded()))
            for each, reader in zip(streams, self._readers, strict=True)
        ]
        return Results(spec=self._spec, streams=whole, account=account, files=files, names=self._names)

    def close(self) -> None:
        """End the events; safe to call again."""
        self._collector.stop()


class RecordedReader:
    """Hands out the batches of a stream, each when its time has come.

    Parameters
    ----------
    recorded : RecordedStream
    now : callable
        Nanoseconds of the recording that have passed.
    """

    fds = ()

    def __init__(self, recorded: RecordedStream, now: Callable[[], float]) -> None:
        self._recorded = recorded
        self._now = now
        self._next = 0

    @property
    def _ended(self) -> bool:
        return self._next == len(self._recorded.batches)

    @property
    def lost(self) -> int:
        """Events that were lost; how many when is not recorded."""
        return self._recorded.dropped if self._ended else 0

    def unrecorded(self) -> dict[str, int]:
        """What a stream's counts are once everything has come, with what the recording had no room for."""
        if not self._ended:
            return {}
        delivered = self._recorded.delivered
        return {"delivered": delivered, "not_kept": delivered - self._recorded.events}

    def drain(self, limit: int) -> list[Batch]:
        """The batches that are due, about ``limit`` bytes of them at most."""
        found: list[Batch] = []
        now, size = self._now(), 0
        while not self._ended and size < limit and self._recorded.arrivals[self._next] <= now:
            found.append(self._recorded.batches[self._next])
            size += found[-1].nbytes
            self._next += 1
        return found

    def close(self) -> None:
        """Nothing is open."""


def recorded_error(recording: Recording, error: LabError | None = None) -> LabError:
    """An error that was recorded, or one about the recording, which says where it is from."""
    made = copy.copy(error or recording.error)
    assert made is not None
    made.replayed = str(recording.made)
    return made


def absent(recording: Recording, what: str) -> LabError:
    """Why something of the programs is not to be seen."""
    words = {"bytecode": "the bytecode", "native": "the native code", "verifier": "the verifier's log"}
    why = recording.outcome.programs.absent.get(what) if recording.outcome else None
    missing = UsageProblem(f"{words[what]} was not recorded", hint="record the trace again")
    return recorded_error(recording, why or missing)


def _attached(spec: ProgramSpec, outcome: Outcome) -> ProgramSpec:
    """The programs that there was a place for."""
    programs = tuple(
        replace(each, probe=each.probe and replace(each.probe, optional=False))
        for each in spec.programs
        if each.function in outcome.functions
    )
    return replace(spec, programs=programs)


def _of_the_end(maps: MapsRead) -> list[str]:
    return ["maps: as they were at the recording's end"] if maps.tables or maps.stacks else []

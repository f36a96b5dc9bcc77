"""A trace as a script and a cell hold it: start, stop, and what came.

One supervisor thread takes a trace from its start to its end, whatever ends it (time, number of events, the
command, Stop, an interrupt, an error), so that there is one way out and it always detaches first.  It also
does the opening: an interrupt reaches the main thread alone, and so never between a step and its undoing.
"""

from __future__ import annotations

import atexit
import contextlib
import shlex
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pandas as pd

from ebpf_lab import inspection, page, progress
from ebpf_lab.command import Command
from ebpf_lab.engine import Engine
from ebpf_lab.errors import LabError, Mark, UsageProblem
from ebpf_lab.exhausted import exhausted
from ebpf_lab.inside.listing import Listing
from ebpf_lab.inside.program import ProgramCode, Samples
from ebpf_lab.inside.view import Inside
from ebpf_lab.plots.accessor import Plots
from ebpf_lab.recordings import course
from ebpf_lab.recordings.model import Asked
from ebpf_lab.results import Results
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.size import parse_size
from ebpf_lab.source.spec import Dialect, ProgramSpec
from ebpf_lab.source.unattached import unattached
from ebpf_lab.stats import Stats
from ebpf_lab.tape import Tape
from ebpf_lab.trace_maps import TraceMaps
from ebpf_lab.watching import Glimpse, Watch

if TYPE_CHECKING:
    from ebpf_lab.live.view import LiveView

DEFAULT_KEEP = "512MiB"
"""Raw bytes of events kept unless told otherwise: 16 million events of 32 bytes."""

_WAIT_SECONDS = 0.1
"""Longest time until a waiting thread runs: a signal that another thread took is seen only then."""

_alive: weakref.WeakSet[Trace] = weakref.WeakSet()


class Trace:
    """One run of one C text in the kernel; :func:`trace` makes it.

    A context manager: entering starts it, leaving stops it.  It is used once.

    Attributes
    ----------
    spec : ProgramSpec
        What the C text asks for.
    """

    def __init__(
        self,
        spec: ProgramSpec,
        *,
        seconds: float | None = None,
        events: int | None = None,
        command: Command | None = None,
        only: bool = False,
        keep: int = 512 << 20,
        tape: Tape | None = None,
        hot: bool = False,
    ) -> None:
        self.spec = spec
        self._seconds = seconds
        self._events = events
        self._command = command
        self._only = only
        self._keep = keep
        self._tape = tape
        self._hot = hot
        self._samples: Samples | None = None
        self._end = threading.Event()
        self._opened = threading.Event()
        self._finished = threading.Event()
        self._lock = threading.Lock()
        self._supervisor: threading.Thread | None = None
        self._error: Exception | None = None
        self._running: Engine | None = None
        self._results: Results | None = None
        self._codes: Sequence[ProgramCode] = ()
        self._warnings: Sequence[Mark] = ()
        self._kernel: inspection.Kernel | None = None
        self._began = 0.0
        self._gate: Callable[[str], None] = lambda stage: None
        self._watches: list[Watch] = []
        self._on_start: list[Callable[[], None]] = []
        self._step = ""
        self._meanwhile: Callable[[], None] = lambda: None

    # Its life

    def in_step(self, gate: Callable[[str], None]) -> None:
        """Have it wait for others at two places, once it is started.

        Parameters
        ----------
        gate : callable
            Called, from a thread of the trace's own, with ``"loaded"`` before the programs are attached, and
            with ``"attached"`` before the trace's time and its command begin.
        """
        self._gate = gate

    def start(self) -> Self:
        """Compile, load and attach, then start the command if there is one.

        Raises
        ------
        CompileError, VerifierRejected, AttachError, MissingFeature, MissingPrivilege, CommandFailed
            Nothing is left attached then.
        UsageProblem
            The trace was started before.
        """
        if self._supervisor is not None:
            raise UsageProblem("this trace was started before", hint="make another with ebpf_lab.trace(...)")
        self._supervisor = threading.Thread(target=self._supervise, name="ebpf-lab-trace", daemon=True)
        _alive.add(self)
        self._began = time.monotonic()
        self._supervisor.start()
        try:
            for begin in self._on_start:
                begin()
            while not self._opened.wait(_WAIT_SECONDS):
                self._meanwhile()
        except BaseException:
            self.end()
            self.join()
            raise
        if self._error is not None:
            self.join()
            raise self._error
        return self

    def stop(self) -> Self:
        """Detach, collect what is left, and close.

        Stopping a trace that has ended changes nothing; what went wrong in the background is raised, each
        time.
        """
        self.end()
        self.join()
        if self._error is not None:
            raise self._error
        return self

    def run(self) -> Self:
        """Start, and wait for the end."""
        try:
            return self.start().wait()
        finally:
            self.end()  # an interrupt may also come between starting and waiting

    def end(self) -> None:
        """Ask the trace to end, without waiting for it."""
        self._end.set()

    def join(self, seconds: float | None = None) -> bool:
        """Wait, at most so long, until the trace is detached and closed, and say whether it is.

        Raises nothing: what went wrong is for :meth:`stop`.
        """
        if self._supervisor is not None:
            self._supervisor.join(seconds)
        return not self.running

    def wait(self) -> Self:
        """Wait for the trace's own end; an interrupt ends it and keeps what came so far."""
        with contextlib.suppress(KeyboardInterrupt):
            while not self._finished.wait(_WAIT_SECONDS):
                self._meanwhile()
        return self.stop()

    @property
    def running(self) -> bool:
        """Whether its programs are attached."""
        return self._supervisor is not None and not self._finished.is_set()

    def __enter__(self) -> Self:
        return self if self._supervisor is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.end()
        if error is None:
            self.stop()
        else:
            self.join()  # the body's own error is the one to see

    def _supervise(self) -> None:
        try:
            with progress.told_to(self._note_step):
                opened = self._engine()
            with contextlib.closing(opened) as running:
                self._gate("attached")
                self._began = time.monotonic()
                self._running, self._codes, self._kernel = running, running.codes, running.kernel
                self._warnings = running.warnings
                if self._command is not None and not self._end.is_set():
                    running.launch(self._command, self._end.set)
                self._opened.set()
                self._end.wait(self._seconds)
                with self._lock:
                    running.detach()
                    if self._command is not None:
                        self._command.stop()
                    self._samples = running.samples
                    self._results = running.results(time.monotonic() - self._began)
                    self._running = None
            self._record()
        except Exception as raised:  # noqa: BLE001  # start() or stop() raises it
            error = exhausted(raised) or raised
            if isinstance(error, LabError):
                error.source = self.spec.text
                if self._results is None:
                    self._record_failure(error)
            self._error = error
        finally:
            self._running = None
            self._finished.set()
            self._opened.set()
            _alive.discard(self)

    def _engine(self) -> Engine:
        # Here, because only this takes Linux: a recording is replayed anywhere.
        from ebpf_lab.running import Running

        return Running(
            self.spec,
            events=self._events,
            keep=self._keep,
            only=self._only,
            on_end=self._end.set,
            tape=self._tape,
            before_attaching=lambda: self._gate("loaded"),
            watches=self._watches,
            hot=self._hot,
        )

    def _record(self) -> None:
        if self._tape is not None and self._results is not None:
            from ebpf_lab.record import record

            record(self._tape, self.spec, self._results, self._codes, self._warnings, self.command_status)

    def _record_failure(self, error: LabError) -> None:
        if self._tape is not None:
            from ebpf_lab.record import record_failure

            # The failure itself is what is raised, whatever becomes of its recording.
            with contextlib.suppress(LabError):
                record_failure(self._tape, self.spec, error)

    # Looking on

    def live(self) -> LiveView:
        """Show the trace while it runs: a notebook's view of its rate, losses and newest events.

        The view has Stop and Pause, which freezes what is shown and not what is collected.  It samples, and
        says so; the frame has everything.

        Returns
        -------
        LiveView
            What a cell that ends with it shows; ``display()`` shows it anywhere else.

        Raises
        ------
        UsageProblem
            This is no notebook, or the trace has ended.
        """
        from ebpf_lab.live.view import LiveView

        return LiveView.of(self)

    def attend(self, on_start: Callable[[], None], meanwhile: Callable[[], None]) -> None:
        """Be there from the trace's start.

        Parameters
        ----------
        on_start : callable
            Called when the trace starts; at once if it did.
        meanwhile : callable
            Called every now and then by the thread that waits for the trace.
        """
        self._meanwhile = meanwhile
        if self._supervisor is None:
            self._on_start.append(on_start)
        else:
            on_start()

    def watch(self) -> Watch:
        """Have every event told to somebody who looks on."""
        made = Watch()
        self._watches.append(made)
        return made

    def unwatch(self, watch: Watch) -> None:
        """Tell them no more."""
        self._watches.remove(watch)

    def glimpse(self) -> Glimpse | None:
        """What is known of the streams without decoding anything; None before they are there."""
        with self._lock:
            if self._running is not None:
                return self._running.glimpse(time.monotonic() - self._began)
            return self._results.glimpse() if self._results is not None else None

    @contextlib.contextmanager
    def engine(self) -> Iterator[Engine | None]:
        """What the trace runs on, which stays open for the body; None when it does not run."""
        with self._lock:
            yield self._running

    @property
    def error(self) -> Exception | None:
        """What went wrong, None as long as nothing has."""
        return self._error

    @property
    def step(self) -> str:
        """What of the start is being done: "compiling"; "" before it and once the programs are attached."""
        return "" if self._opened.is_set() else self._step

    @property
    def attached(self) -> bool:
        """Whether its programs are attached and its command, if there is one, started."""
        return self._opened.is_set() and not self.ended

    @property
    def ended(self) -> bool:
        """Whether it was started, and is detached and closed."""
        return self._finished.is_set()

    @property
    def seconds(self) -> float:
        """How long it has been going on, or went on; as long as it is being prepared, how long that takes."""
        if self._results is not None:
            return self._results.seconds
        return time.monotonic() - self._began if self._supervisor is not None else 0.0

    def _note_step(self, words: str) -> None:
        self._step = words

    # What came

    @property
    def has_results(self) -> bool:
        """Whether there are any: it was started, and did not fail."""
        with self._lock:
            return self._running is not None or self._results is not None

    def results(self) -> Results:
        """Everything that came: after the end all of it, before it a copy of what came so far."""
        with self._lock:
            if self._running is not None:
                return self._running.results(time.monotonic() - self._began)
            return self._ended()

    def take(self) -> dict[str, pd.DataFrame]:
        """Hand out the events that came since the last time, and keep them no longer.

        For long traces: what is taken in time never reaches the limit of ``keep``, and memory holds one
        portion.  Possible while the trace runs and after its end; every event comes once.  ``frame`` and
        ``frames`` then have what is yet to be taken, ``stats`` and ``header`` still count everything.

        Returns
        -------
        dict of DataFrame
            As :attr:`frames`, also for streams of which nothing came.  A column such as ``time``, which is
            one of times only where the values are, is judged by each portion for itself.
        """
        with self._lock:
            if self._running is not None:
                return self._running.take()
            results = self._ended()
            self._results = results.without_events()
            return results.frames

    def _ended(self) -> Results:
        if self._results is None and self._error is not None:
            raise self._error
        if self._results is None:
            raise UsageProblem("this trace has no results", why="it was not started", hint="trace.start()")
        return self._results

    @property
    def frame(self) -> pd.DataFrame:
        """The main stream's events; of a text without streams, its first map."""
        return self.results().main

    @property
    def frames(self) -> Mapping[str, pd.DataFrame]:
        """Events by stream name; a stream of several structs is there as ``stream.struct``."""
        return self.results().frames

    @property
    def maps(self) -> TraceMaps:
        """Maps by name, as they are now or, after the end, as they were at the end.

        ``maps.set("counts", key, value)`` changes one while the trace runs, and ``maps.live()`` shows them as
        they change.
        """
        return TraceMaps(self)

    @property
    def stats(self) -> Stats:
        """Events of each stream and runs of each program."""
        return self.results().stats

    @property
    def header(self) -> str:
        """One honest line: events, seconds, lost, cost per event, backend, probes."""
        return self.results().header

    @property
    def plot(self) -> Plots:
        """Plots of what came so far: ``trace.plot()`` draws what the data suggests, a method one kind.

        Examples
        --------
        ``trace.plot.timeline()``, ``trace.plot.counts("comm")``, ``trace.plot.latency("duration_ns")``,
        ``trace.plot.heatmap()``, ``trace.plot.flame()``, ``trace.plot.tree()``
        """
        return Plots(self.results().tables)

    # What the programs became

    @property
    def warnings(self) -> Sequence[Mark]:
        """What the compiler warned of: places in the text, each with clang's words as its ``note``."""
        return self._warnings

    def disassembly(self) -> Listing:
        """The bytecode that the kernel runs, beside the C line that each instruction comes from.

        It is what the verifier left of the compiler's: reads of the context have become reads of the kernel's
        own structs, some helpers are replaced by what they do, and what can never run is gone.

        Returns
        -------
        Listing
            A frame, shown by notebooks as a folded listing.  ``instruction`` counts units of eight bytes,
            of which wide loads take two; jumps in ``code`` go to the ``label`` in the same ``function``;
            ``line`` and ``column`` are in the C text where ``file`` is "", else in that header.

        Raises
        ------
        UsageProblem
            The trace was not started.
        MissingPrivilege
            The kernel keeps the code to itself.
        """
        return inspection.disassembly(self._loaded_codes(), self._kernel)

    def jited(self) -> Listing:
        """The native code that the kernel's compiler made of the programs, beside the C lines.

        Returns
        -------
        Listing
            As :meth:`disassembly`; ``address`` in the kernel's memory, ``offset`` [bytes] in the function.

        Raises
        ------
        UsageProblem
            The trace was not started.
        MissingFeature
            The kernel interprets the programs, or capstone is not installed.
        MissingPrivilege
            The kernel keeps the code to itself.
        """
        return inspection.jited(self._loaded_codes(), self._kernel)

    def verifier_log(self, level: int = 2) -> Listing:
        """What the kernel's verifier knew of each register on its way through the programs.

        The text is compiled and loaded once more, with a log and attached to nothing, whether the trace runs,
        has ended or was never started.

        Parameters
        ----------
        level : int
            2 for every path.  At 1 the verifier forgets each path that it has found to be safe, so that next
            to nothing is left of a program that it accepts.

        Returns
        -------
        Listing
            A frame, shown by notebooks as a folded listing, a row for each ``step`` of the walk: ``path``
            counts the ways that were followed to their end, ``state`` is what was printed after the step,
            ``registers`` all that was known then (``dict``).  Instructions have other numbers than in
            :meth:`disassembly`, which shows what became of them afterwards.  The listing's ``log`` is the
            kernel's own text.

        Raises
        ------
        LabError
            The text cannot be compiled or loaded; the log is longer than 64 MiB.
        """
        if level not in (1, 2):
            raise UsageProblem(f"level={level}: the verifier's log has the levels 1 and 2")
        try:
            return inspection.walked(self._verifier_logs(level), self.spec.text)
        except LabError as error:
            error.source = self.spec.text
            raise

    def inside(self, states: bool = True) -> Inside:
        """What the programs became, linked: the C, its bytecode and native code, and the flow through it.

        Parameters
        ----------
        states : bool
            Also what the verifier knew at each instruction.  For that the text is compiled and loaded once
            more, as by :meth:`verifier_log`; where this fails, the view is there without, and says why.

        Returns
        -------
        Inside
            A notebook shows it with what belongs together marked under the mouse, a terminal as text;
            ``save`` writes it into a file.

        Raises
        ------
        UsageProblem
            The trace was not started.
        MissingPrivilege
            The kernel keeps the code to itself.
        """
        codes = self._loaded_codes()
        logs: Mapping[str, str] | LabError = {}
        if states:
            try:
                logs = self._verifier_logs(2)
            except LabError as error:
                logs = error
        with self._lock:
            samples = self._running.samples if self._running is not None else self._samples
        made = inspection.inside(codes, self.spec, self.stats, logs, samples, self._kernel)
        if self._hot and samples is None:
            return made.noting("without run cost: it is not recorded")
        return made

    def _verifier_logs(self, level: int) -> Mapping[str, str]:
        return inspection.verifier_logs(self.spec, level)

    def _loaded_codes(self) -> Sequence[ProgramCode]:
        with self._lock:
            if not self._codes:
                self._ended()  # says why there are none
            return self._codes

    @property
    def command_status(self) -> int | None:
        """Exit status of the command, negative for a signal; None while it runs or without one."""
        return self._command.status if self._command else None

    def __repr__(self) -> str:
        probes = ", ".join(str(program.probe) for program in self.spec.programs)
        if self._supervisor is None:
            return f"<Trace not started: {probes}>"
        if self._finished.is_set() and self._results is None:
            return f"<Trace failed: {self._error}>"
        return f"<Trace {'running' if self.running else 'ended'}: {self.header}>"

    def _repr_html_(self) -> str | None:
        # A notebook in which the lab's extension is loaded shows a live view instead.
        remark = page.STILL if self.running else ""
        return page.html(self.results(), remark=remark) if self.has_results else None


def trace(
    source: str,
    *,
    seconds: float | None = None,
    events: int | None = None,
    command: Sequence[str] | None = None,
    attach: Mapping[str, str] | None = None,
    set: Mapping[str, object] | None = None,
    only: bool = False,
    backend: str | None = None,
    event: Mapping[str, str] | None = None,
    keep: int | str = DEFAULT_KEEP,
    output: Callable[[bytes], None] | None = None,
    record: str | Path | None = None,
    hot: bool = False,
) -> Trace:
    """Compile C text, attach it to the running kernel, and collect its events.

    With ``seconds``, ``events`` or ``command`` the trace runs to whichever end comes first and is returned
    ended; an interrupt ends it early and keeps what came.  With none of them it is returned unstarted, to
    be held by a ``with`` block or by :meth:`Trace.start` and :meth:`Trace.stop`.

    Parameters
    ----------
    source : str
        C text in either dialect.
    seconds : float, optional
        Longest time to trace.
    events : int, optional
        Number of events of the main stream to stop after; the frame then has exactly so many rows.
    command : sequence of str, optional
        Program and arguments, started once everything is attached; its end ends the trace.
    attach : mapping, optional
        Probe (bpftrace syntax) by C function, over what the text itself says.
    set : mapping, optional
        Values for the text's ``const volatile`` globals (libbpf) or macros (bcc), by name.
    only : bool
        Keep only events of ``command`` and its descendants; events need a ``pid`` field.
    backend : {"bcc", "libbpf"}, optional
        The dialect, when it shall not be recognised from the text.
    event : mapping, optional
        Struct name by stream, when it cannot be found from the calls that submit events.
    keep : int or str
        Most raw bytes of events kept, such as ``"64MiB"``; later events are counted, not kept.
    output : callable, optional
        Receives what ``command`` prints, as bytes, from a background thread.
    record : str or Path, optional
        A file that keeps everything, for :func:`ebpf_lab.replay` on any machine; a failure, too.
    hot : bool
        Interrupt the processors some thousand times a second to see which lines the time goes to, for
        :meth:`Trace.inside`.

    Returns
    -------
    Trace

    Raises
    ------
    UsageProblem
        An argument or the text cannot be meant.
    CompileError, VerifierRejected, AttachError, MissingFeature, MissingPrivilege, CommandFailed
        As :meth:`Trace.start`.

    Notes
    -----
    Needs Linux with BPF (``CONFIG_BPF_SYSCALL``), and what the probes and maps in use need.  Where the
    environment's ``EBPF_LAB_REPLAY`` names a directory of recordings, as in a course that is shown and not
    run, the one of this program is replayed.
    """
    endless = seconds is None and events is None and command is None
    made = prepare(
        source,
        seconds=seconds,
        events=events,
        command=command,
        attach=attach,
        set=set,
        only=only,
        backend=backend,
        event=event,
        keep=keep,
        output=output,
        record=record or course.records(),
        replay=None if record else course.replays(),
        hold=endless,
        hot=hot,
    )
    return made if endless else made.run()


def prepare(
    source: str,
    *,
    seconds: float | None = None,
    events: int | None = None,
    command: Sequence[str] | Command | None = None,
    attach: Mapping[str, str] | None = None,
    set: Mapping[str, object] | None = None,
    only: bool = False,
    backend: str | None = None,
    event: Mapping[str, str] | None = None,
    keep: int | str = DEFAULT_KEEP,
    output: Callable[[bytes], None] | None = None,
    record: str | Path | None = None,
    replay: str | Path | None = None,
    pace: float | None = None,
    hold: bool = False,
    hot: bool = False,
) -> Trace:
    """Make the trace that :func:`trace` would, and leave it unstarted even when it has an end.

    ``command`` may also be a :class:`~ebpf_lab.command.Command` with its own ways to read and print.  With
    ``replay`` the trace is that recording's, at its ``pace``; with ``hold`` it goes on until it is stopped.
    Either file may also be a directory of recordings, in which each has the name that it is found by.
    """
    _check(seconds, events, command, only)
    if record is not None and replay is not None:
        raise UsageProblem("a trace is recorded or replayed, not both")
    if pace is not None and replay is None:
        raise UsageProblem("a pace is for a recording that is replayed", hint="--replay FILE")
    try:
        spec = analyse(
            source,
            dialect=_dialect(backend),
            attach=attach,
            settings={name: str(value) for name, value in (set or {}).items()},
            events=event,
        )
        for program in spec.programs:
            if program.probe is None:
                raise unattached(program, source)
    except LabError as error:
        error.source = source
        raise
    if events is not None and not spec.streams:
        raise UsageProblem(
            "events are counted, but this text has no stream of events", hint="use seconds instead"
        )
    words = command.argv if isinstance(command, Command) else command
    asked = Asked(
        command=None if words is None else tuple(words),
        events=events,
        only=only,
        attach={function: str(Probe.parse(probe)) for function, probe in (attach or {}).items()},
        settings=spec.settings,
        stream_types=dict(event or {}),
        backend=backend or "",
    )
    if replay is not None:
        from ebpf_lab.replayed import of_program

        file = Path(replay)
        if file.is_dir():
            file = course.find(file, source, asked)
        return of_program(file, spec, asked, pace=pace, hold=hold, output=output, hot=hot)
    tape = None
    if record is not None:
        file = Path(record)
        if file.is_dir():
            file = course.place(file, source, asked, next((each.function for each in spec.programs), ""))
        tape = Tape(file, asked)
    if tape is not None and output is not None:
        output = tape.hearing(output)
    return Trace(
        spec,
        seconds=seconds,
        events=events,
        command=command if command is None or isinstance(command, Command) else Command(command, output),
        only=only,
        keep=keep if isinstance(keep, int) else parse_size(keep),
        tape=tape,
        hot=hot,
    )


def _check(seconds: float | None, events: int | None, command: object, only: bool) -> None:
    if seconds is not None and not 0 < seconds < float("inf"):
        raise UsageProblem(f"seconds={seconds}: the time must be more than 0")
    if events is not None and events < 1:
        raise UsageProblem(f"events={events}: at least 1 event must be asked for")
    if isinstance(command, str):
        raise UsageProblem(
            f"command={command!r} is one string",
            why="no shell is involved: the program and each argument are items of their own",
            hint=f"command={_words(command)!r}",
        )
    if only and command is None:
        raise UsageProblem("only needs a command", why="it keeps the events of that command and its children")


def _words(command: str) -> list[str]:
    """A command's words as a shell takes them, or as near to that as unpaired quotes let."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _dialect(backend: str | None) -> Dialect | None:
    if backend is None:
        return None
    try:
        return Dialect(backend)
    except ValueError:
        raise UsageProblem(f"backend={backend!r}: there is no such backend", hint="bcc or libbpf") from None


@atexit.register
def _stop_all() -> None:
    # Threads that touch mapped buffers must not outlive the interpreter's tear-down.
    for running in list(_alive):
        with contextlib.suppress(Exception):
            running.stop()

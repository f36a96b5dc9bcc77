"""A trace of a recording: the same in every way, but for the kernel."""

from __future__ import annotations

import difflib
import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

from ebpf_lab.engine import Engine
from ebpf_lab.errors import UsageProblem
from ebpf_lab.recordings.files import load, spec_of
from ebpf_lab.recordings.model import Asked, Made, Recording, normal
from ebpf_lab.replaying import Replaying, absent
from ebpf_lab.session import Trace
from ebpf_lab.source.spec import ProgramSpec

_LEVEL = 2
_DIFFERENCES = 8
"""Lines of a difference that are shown."""


class Replay(Trace):
    """A recorded trace that runs again; :func:`replay` makes it.

    What a running kernel alone could tell says so.

    Attributes
    ----------
    recording : Recording
    """

    def __init__(
        self,
        spec: ProgramSpec,
        recording: Recording,
        *,
        pace: float | None = None,
        hold: bool = False,
        output: Callable[[bytes], None] | None = None,
        hot: bool = False,
    ) -> None:
        super().__init__(spec, hot=hot)
        self.recording = recording
        self._pace = pace
        self._hold = hold
        self._output = output

    def _engine(self) -> Engine:
        return Replaying(
            self.recording,
            self.spec,
            pace=self._pace,
            hold=self._hold,
            on_end=self._end.set,
            output=self._output,
            watches=self._watches,
        )

    def _verifier_logs(self, level: int) -> Mapping[str, str]:
        outcome = self.recording.outcome
        if level != _LEVEL:
            raise UsageProblem(f"level={level}: a recording has the verifier's log of level {_LEVEL} alone")
        if outcome is None or not outcome.programs.logs:
            raise absent(self.recording, "verifier")
        return outcome.programs.logs

    @property
    def made(self) -> Made:
        """Where and when it was recorded."""
        return self.recording.made

    @property
    def command_status(self) -> int | None:
        """Exit status that the command had; None while the recording runs, or without one."""
        outcome = self.recording.outcome
        return None if outcome is None or self.running else outcome.status


def replay(file: str | Path, *, pace: float | None = None) -> Trace:
    """Let a recorded trace run again, on any machine: without its kernel, a compiler or rights.

    Parameters
    ----------
    file : str or Path
        What ``record`` of :func:`ebpf_lab.trace` wrote.
    pace : float, optional
        How many times as fast as it was: 1 for its own pace.  All of it comes at once unless told.

    Returns
    -------
    Trace
        Ended; with ``pace`` unstarted, to be held by a ``with`` block or run by :meth:`Trace.run`.  Its
        header begins with REPLAYED, the kernel and the date.

    Raises
    ------
    UsageProblem
        There is no such file.
    RecordingDamaged
        It is no recording, or not a whole one, or of another version.
    LabError
        The trace that was recorded failed so.
    """
    recording = load(Path(file))
    made = Replay(spec_of(recording), recording, pace=checked_pace(pace))
    return made if pace is not None else made.run()


def of_program(
    file: Path,
    spec: ProgramSpec,
    asked: Asked,
    *,
    pace: float | None = None,
    hold: bool = False,
    output: Callable[[bytes], None] | None = None,
    hot: bool = False,
) -> Replay:
    """The replay of a program, which must be the one that was recorded.

    Raises
    ------
    UsageProblem
        It is another one, or was asked for in another way.
    """
    recording = load(file)
    if normal(spec.text) != normal(recording.text):
        raise UsageProblem(
            f"{file.name} is a recording of another program",
            why="they differ:\n" + _difference(recording.text, spec.text),
            hint="replay the program as it was recorded, or record this one with --record FILE",
        )
    for each in fields(Asked):
        then, now = (getattr(one, each.name) for one in (recording.asked, asked))
        if then != now:
            had, asks = _words(each.name, then), _words(each.name, now)
            raise UsageProblem(
                f"{file.name} was recorded with {had}, and this asks for {asks}",
                hint="ask for the same, or record this with --record FILE",
            )
    return Replay(spec, recording, pace=checked_pace(pace), hold=hold, output=output, hot=hot)


def checked_pace(pace: float | None) -> float | None:
    """The pace, if it is one.

    Raises
    ------
    UsageProblem
    """
    if pace is not None and not (math.isfinite(pace) and pace > 0):
        raise UsageProblem(f"pace={pace}: the pace must be more than 0", hint="1 is the recording's own")
    return pace


def _difference(recorded: str, given: str) -> str:
    lines = difflib.unified_diff(
        normal(recorded).split("\n"), normal(given).split("\n"), "recorded", "given", n=0, lineterm=""
    )
    found = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    more = [f"… {len(found) - _DIFFERENCES} lines more"] if len(found) > _DIFFERENCES else []
    return "\n".join([*found[:_DIFFERENCES], *more])


def _words(name: str, value: object) -> str:
    flags = {"attach": "--attach", "settings": "--set", "stream_types": "--event", "backend": "--backend"}
    if name == "command":
        return f"the command {shlex.join(map(str, value))}" if isinstance(value, tuple) else "no command"
    if name == "only":
        return "--only" if value else "events of everybody"
    if name == "events":
        return f"-n {value}" if value else "no -n"
    if isinstance(value, Mapping):
        return " ".join(f"{flags[name]} {key}={each}" for key, each in value.items()) or f"no {flags[name]}"
    return f"{flags[name]} {value}" if value else f"no {flags[name]}"

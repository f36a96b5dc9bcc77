"""One trace on several hosts: all are attached before any begins, and what came of all is one frame."""

from __future__ import annotations

import contextlib
import pickle
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import Any, Self

import pandas as pd

from ebpf_lab.errors import LabError, Mark, UsageProblem
from ebpf_lab.hosts import remote
from ebpf_lab.hosts.clocks import Offset
from ebpf_lab.hosts.combined import combined, common_time
from ebpf_lab.hosts.engines import Engine, answers
from ebpf_lab.hosts.failed import as_one
from ebpf_lab.hosts.remote import Call, HostResult, Look
from ebpf_lab.source.words import listing
from ebpf_lab.stats import Stats

_ANSWER = 20.0
"""Seconds within which an engine answers what takes it no time: some are emulated, or far away."""
_RESULT = 120.0
"""Seconds for a piece of a result: 8 MiB on the slowest of lines."""


class Together:
    """A trace of several hosts; :meth:`ebpf_lab.hosts.cluster.Cluster.prepare` makes it.

    Attributes
    ----------
    stage : str
        What all hosts have come to: "loaded", "attached", "running" or "ended"; "" before that.
    results : dict of HostResult
        What came, by host.
    errors : dict of LabError
        Why there is nothing of the other hosts.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        source: str,
        options: Mapping[str, Any],
        failed: Mapping[str, LabError] | None = None,
    ) -> None:
        self._engines = dict(engines)
        self._source, self._options = source, dict(options)
        self._token = uuid.uuid4().hex
        self._offsets: dict[str, Offset] = {}
        self._started = False
        self.stage = ""
        self.results: dict[str, HostResult] = {}
        self.errors: dict[str, LabError] = dict(failed or {})
        self._untold = dict(self.errors)

    # Its life

    def run(self, say: Callable[[str], None] = lambda words: None) -> Self:
        """Compile on all hosts, attach on all, begin, wait for the end of all, and fetch what came.

        A host that fails is left out, and the others go on.  An interrupt ends the trace on all hosts and
        keeps what came.

        Parameters
        ----------
        say : callable
            Told at once of hosts that fail, in a sentence.

        Raises
        ------
        LabError
            Hosts failed, after everything else was done: :attr:`results` has what the others brought.
        """
        if self._started:
            raise UsageProblem("this trace was started before", hint="make another with Cluster.prepare(...)")
        self._started = True
        self._say = say
        total = len(self._engines) + len(self.errors)
        try:
            self._compare_clocks()
            self._ask_all(Call("begin"), self._source, self._options)
            for stage in ("loaded", "attached"):
                self._until(stage)
                self._ask_all(Call("allow"), stage)
            self.stage = "running"
            try:
                self._until("ended")
            except KeyboardInterrupt:
                self._ask_all(Call("end"))
                self._until("ended")
            self._compare_clocks()
            self._fetch()
        finally:
            self._drop()
        if self.errors:
            raise as_one(self._in_order(self.errors), total)
        return self

    @property
    def _active(self) -> dict[str, Engine]:
        return {name: engine for name, engine in self._engines.items() if name not in self.errors}

    def _ask_all(self, call: Call, *arguments: Any) -> dict[str, Any]:
        if call.function != "clock":
            arguments = (self._token, *arguments)
        found, failed = answers(self._active, call, *arguments, within=_ANSWER)
        self._leave_out(failed)
        return found

    def _until(self, stage: str) -> None:
        """Wait until every host has come so far, or has failed."""
        behind = True
        while behind and self._active:
            looks: dict[str, Look] = self._ask_all(Call("look"), stage)
            self._leave_out({name: look.error for name, look in looks.items() if look.error is not None})
            order = remote.STAGES.index
            behind = any(order(look.stage) < order(stage) for look in looks.values())
            self.stage = self.stage if behind else stage
            if not behind or stage == "ended":
                # Wrong C fails everywhere, if not at once: then there is nobody to go on with.
                self._tell()

    def _leave_out(self, failed: Mapping[str, LabError]) -> None:
        for name, error in failed.items():
            if not error.source:
                error.source = self._source if error.where else ""
            self.errors[name] = self._untold[name] = error

    def _tell(self) -> None:
        if self._untold and self._active:
            failed = as_one(self._in_order(self._untold), len(self._engines))
            self._say(f"{failed.what}; going on with {listing(self._active)}")
        self._untold.clear()

    def _in_order(self, errors: Mapping[str, LabError]) -> dict[str, LabError]:
        return {name: errors[name] for name in (*self._engines, *errors) if name in errors}

    def _compare_clocks(self) -> None:
        for name, engine in self._active.items():
            try:
                measured = Offset.measured(partial(engine.ask, Call("clock"), within=_ANSWER))
            except LabError as error:
                self._leave_out({name: error})
                continue
            before = self._offsets.get(name)
            self._offsets[name] = before.and_later(measured) if before else measured

    def _fetch(self) -> None:
        looks = self._ask_all(Call("look"), "ended")
        for name, look in looks.items():
            pieces = []
            try:
                for number in range(look.pieces):
                    pieces.append(self._engines[name].ask(Call("piece"), self._token, number, within=_RESULT))
                self.results[name] = pickle.loads(b"".join(pieces))
            except LabError as error:
                self._leave_out({name: error})

    def _drop(self) -> None:
        """Have no host keep anything, those that failed on the way included."""
        there = {name: engine for name, engine in self._engines.items() if name in self._offsets}
        with contextlib.suppress(KeyboardInterrupt):
            answers(there, Call("drop"), self._token, within=_ANSWER)

    # What came

    def _some(self) -> dict[str, HostResult]:
        if self.results:
            return self.results
        if self.errors:
            raise as_one(self._in_order(self.errors), len(self.errors))
        raise UsageProblem("this trace has no results", why="it was not run", hint="trace.run()")

    def _by_name(self, tables: Callable[[HostResult], Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
        parts: dict[str, dict[str, pd.DataFrame]] = {}
        for host, result in self._some().items():
            for name, frame in tables(result).items():
                parts.setdefault(name, {})[host] = frame
        return {name: combined(frames) for name, frames in parts.items()}

    @cached_property
    def frames(self) -> Mapping[str, pd.DataFrame]:
        """Events by stream name, those of one host after those of another; ``host`` says whose."""
        return self._by_name(lambda result: result.frames)

    @cached_property
    def maps(self) -> Mapping[str, pd.DataFrame]:
        """Maps of all hosts by name."""
        return self._by_name(lambda result: result.maps)

    @property
    def frame(self) -> pd.DataFrame:
        """The main stream's events; of a text without streams, its first map."""
        main = next((each.main for each in self._some().values() if each.main), "")
        if not main:
            raise UsageProblem(
                "there is nothing to show",
                why="this text has neither a stream of events nor a map",
                hint="stats has the runs of its programs",
            )
        return (self.frames if self.frames else self.maps)[main]

    @property
    def stats(self) -> Mapping[str, Stats]:
        """Events of each stream and runs of each program, by host."""
        return {name: result.stats for name, result in self._some().items()}

    @property
    def command_status(self) -> Mapping[str, int | None]:
        """The command's exit status, by host."""
        return {name: result.status for name, result in self._some().items()}

    @property
    def warnings(self) -> tuple[Mark, ...]:
        """What the compilers warned of, where several said the same once."""
        return tuple(dict.fromkeys(mark for result in self._some().values() for mark in result.warnings))

    @property
    def clocks(self) -> pd.DataFrame:
        """When the trace began on each host, by this machine's clock.

        Returns
        -------
        DataFrame
            ``host``, ``began`` (timedelta since the first host's), and ``within`` (timedelta: how far from
            that the truth may be).  Columns of times such as ``ts`` count from when the trace began on their
            own host.
        """
        starts = {
            name: result.clock.start_monotonic_ns - self._offsets[name].ns
            for name, result in self._some().items()
        }
        rows = [
            {
                "host": name,
                "began": pd.Timedelta(start - min(starts.values()), "ns"),
                "within": pd.Timedelta(self._offsets[name].within, "ns"),
            }
            for name, start in starts.items()
        ]
        return pd.DataFrame(rows, columns=["host", "began", "within"])

    def common_time(self, column: str = "ts", frame: pd.DataFrame | None = None) -> pd.Series[pd.Timedelta]:
        """A column of times, counted on all hosts from when the trace began on the first.

        Events of two hosts may be put in order by it if they are further apart than both hosts' ``within`` in
        :attr:`clocks`.

        Parameters
        ----------
        column : str
        frame : DataFrame, optional
            With a ``host`` column; :attr:`frame` unless given.
        """
        return common_time(self.frame if frame is None else frame, column, self.clocks)

    @property
    def header(self) -> str:
        """A line for each host, and one for all."""
        results = self._some()
        width = max(map(len, results))
        lines = [f"{name:<{width}}  {result.header}" for name, result in results.items()]
        return "\n".join([*lines, *self._sums(results)])

    def _sums(self, results: Mapping[str, HostResult]) -> Iterable[str]:
        if len(results) == 1:
            return
        delivered = sum(result.delivered for result in results.values())
        dropped = sum(result.dropped for result in results.values())
        clocks = self.clocks
        yield (
            f"{len(results)} hosts: {delivered:,} events · {dropped:,} lost · attached within"
            f" {_ms(clocks.began.max())} of each other, by clocks compared to ±{_ms(clocks.within.max())}"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the frames should know, a sentence each."""
        notes = [f"{name}: {note}" for name, result in self._some().items() for note in result.notes]
        shared: dict[str, list[str]] = {}
        for name in self._some():
            machine = self._engines[name].machine
            if machine is not None and machine.boot:
                shared.setdefault(machine.boot, []).append(name)
        notes += [
            f"{listing(names)} share one kernel: without --only each of them sees what the others do"
            for names in shared.values()
            if len(names) > 1
        ]
        return tuple(notes)

    def __repr__(self) -> str:
        names = listing(self._engines or ["no host"])
        if not self.results:
            return f"<Trace on {names}, {'failed' if self.errors else 'not started'}>"
        return f"<Trace on {names}>\n{self.header}"


def _ms(length: pd.Timedelta) -> str:
    return f"{length.value / 1e6:,.1f} ms"

"""What a trace brought on several hosts, as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Self

import pandas as pd

from ebpf_lab.errors import LabError, Mark, UsageProblem
from ebpf_lab.hosts.carried import HostResult, Machine
from ebpf_lab.hosts.clocks import Offset
from ebpf_lab.hosts.combined import combined, common_time
from ebpf_lab.hosts.failed import as_one
from ebpf_lab.plots.accessor import Plots
from ebpf_lab.source.words import listing
from ebpf_lab.stats import Fact, Stats
from ebpf_lab.tables import Tables


class Gathered:
    """Frames of several hosts as one, and what each counted.

    Parameters
    ----------
    machines : dict of Machine
        By host.
    errors : dict of LabError
        Why hosts cannot be used.
    only : bool
        Each has the events of its own command alone.

    Attributes
    ----------
    results : dict of HostResult
        What came, by host.
    errors : dict of LabError
        Why there is nothing of the other hosts.
    """

    def __init__(
        self, machines: Mapping[str, Machine | None], errors: Mapping[str, LabError], *, only: bool
    ) -> None:
        self._machines = machines
        self._only = only
        self._offsets: dict[str, Offset] = {}
        self.results: dict[str, HostResult] = {}
        self.errors: dict[str, LabError] = dict(errors)

    def came(self) -> Self:
        """The same, once something came.

        Raises
        ------
        LabError
            Nothing did.
        """
        if not self.results and self.errors:
            raise as_one(self._in_order(self.errors), len(self.errors))
        if not self.results:
            raise UsageProblem("this trace has no results", why="it was not run", hint="trace.run()")
        return self

    def _in_order(self, errors: Mapping[str, LabError]) -> dict[str, LabError]:
        return {name: errors[name] for name in (*self._machines, *errors) if name in errors}

    def _by_name(self, tables: Callable[[HostResult], Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
        parts: dict[str, dict[str, pd.DataFrame]] = {}
        for host, result in self.came().results.items():
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
        return (self.frames or self.maps)[self.main_name]

    @property
    def main(self) -> pd.DataFrame:
        """The same as :attr:`frame`, by the name that the results of one host have for it."""
        return self.frame

    @property
    def main_name(self) -> str:
        """The name of the main table."""
        for result in self.came().results.values():
            if result.main:
                return result.main
        raise UsageProblem(
            "there is nothing to show",
            why="this text has neither a stream of events nor a map",
            hint="stats has the runs of its programs",
        )

    @property
    def tables(self) -> Tables:
        """Streams and maps by name, the main one first."""
        names = [name for result in self.came().results.values() for name in result.maps]
        return Tables(self.frames, sorted(dict.fromkeys(names), key=self._main_first), lambda: self.maps)

    def _main_first(self, name: str) -> bool:
        return name != self.main_name

    @property
    def plot(self) -> Plots:
        """Plots of what came, as of one host's trace: ``plot.timeline("host")`` tells the hosts apart.

        Times are each host's own, as in the frames.
        """
        return Plots(self.tables)

    @property
    def stats(self) -> Mapping[str, Stats]:
        """Events of each stream and runs of each program, by host."""
        return {name: result.stats for name, result in self.came().results.items()}

    @property
    def command_status(self) -> Mapping[str, int | None]:
        """The command's exit status, by host."""
        return {name: result.status for name, result in self.came().results.items()}

    @property
    def warnings(self) -> tuple[Mark, ...]:
        """What the compilers warned of, where several said the same once."""
        return tuple(
            dict.fromkeys(mark for result in self.came().results.values() for mark in result.warnings)
        )

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
            for name, result in self.came().results.items()
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
        """One line for all; the first of :attr:`notes` are of each host."""
        return " · ".join(fact.text for fact in self.facts)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What there is to say of all hosts together."""
        results = self.came().results
        missing = (Fact(f"without {listing(self.errors)}", bad=True),) if self.errors else ()
        if len(results) == 1:
            ((name, result),) = results.items()
            return (Fact(name), *result.facts, *missing)
        delivered = sum(result.delivered for result in results.values())
        dropped = sum(result.dropped for result in results.values())
        counted = (Fact(f"{delivered:,} events"), Fact(f"{dropped:,} lost", bad=dropped > 0))
        clocks = self.clocks
        return (
            Fact(f"{len(results)} hosts"),
            *(counted if self.frames else (Fact(f"{len(self.maps)} map{'s' * (len(self.maps) > 1)}"),)),
            *(
                Fact(f"{name}: {fact.text}", bad=True)
                for name, result in results.items()
                for fact in result.facts
                if fact.bad and not fact.text.endswith(" lost")
            ),
            *missing,
            Fact(f"attached within {_ms(clocks.began.max())} of each other"),
            Fact(f"clocks compared to ±{_ms(clocks.within.max())}"),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What each host counted, and what a reader of the frames should know, a sentence each."""
        results = self.came().results
        notes = [f"{name}: {result.header}" for name, result in results.items()] if len(results) > 1 else []
        notes += [f"{name}: {note}" for name, result in results.items() for note in result.notes]
        shared: dict[str, list[str]] = {}
        for name in self.came().results:
            machine = self._machines[name]
            if machine is not None and machine.boot:
                shared.setdefault(machine.boot, []).append(name)
        notes += [
            f"{listing(names)} share one kernel: each of them sees what the others do, unless --only is given"
            for names in shared.values()
            if len(names) > 1 and not self._only
        ]
        return tuple(notes)


def _ms(length: pd.Timedelta) -> str:
    return f"{length.value / 1e6:,.1f} ms"

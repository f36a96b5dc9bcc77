"""What a trace brought, decoded when it is asked for."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from ebpf_lab.backends.loaded import LoadedMap, LoadedStream
from ebpf_lab.errors import UsageProblem
from ebpf_lab.failures import counts_failures, failures, summary
from ebpf_lab.frame.build import BuiltFrames, build, size_notes
from ebpf_lab.frame.calls.files import Files
from ebpf_lab.frame.calls.frames import in_words
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.maps import map_frame
from ebpf_lab.frame.printk import printk_frame
from ebpf_lab.frame.stacks import Addresses, StackNames, in_kernel, stack_frame
from ebpf_lab.names import Names
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.maps import MapContents
from ebpf_lab.readers.printk_lines import lines
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.spec import ProgramSpec
from ebpf_lab.stats import Fact, ProgramStats, Stats, StreamStats
from ebpf_lab.tables import Tables
from ebpf_lab.watching import Glimpse


@dataclass(frozen=True, slots=True)
class Taken:
    """What was handed out of one stream: how many events, and what was wrong with them."""

    events: int = 0
    undecoded: int = 0
    sizes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class StreamBytes:
    """What came of one stream and was not ``taken``; ``stats`` knows only of what need not be decoded."""

    stream: LoadedStream
    batches: list[Batch]
    stats: StreamStats
    taken: Taken


@dataclass(frozen=True, slots=True)
class MapsRead:
    """What was in the maps: elements of tables, and call chains by number, innermost frame first."""

    tables: Sequence[tuple[LoadedMap, MapContents]] = ()
    stacks: Sequence[tuple[LoadedMap, Mapping[int, Addresses]]] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """What a trace found besides its events.

    Attributes
    ----------
    maps : MapsRead
    programs : mapping
        Runs by program.
    left_out : mapping
        The probes that there are none of, and why.
    uncounted : str
        Why runs are not counted, "" where they are.
    seconds : float
        How long the programs were attached.
    clock : TraceClock
        When they were.
    nobody_followed : bool
        The text follows a command, and there was none.
    filtered : bool
        Only events of the command are here.
    unseen : int
        Reports of its forks and exits that were lost.
    unmapped : int
        Reports of mapped files that were lost.
    remarks : sequence of str
        What else a reader should know, a sentence each.
    """

    maps: MapsRead
    programs: Mapping[str, ProgramStats]
    left_out: Mapping[Probe, str]
    uncounted: str
    seconds: float
    clock: TraceClock
    nobody_followed: bool = False
    filtered: bool = False
    unseen: int = 0
    unmapped: int = 0
    remarks: Sequence[str] = ()


class Results:
    """Everything that a trace brought, as bytes; its properties decode them, each once.

    Attributes
    ----------
    spec : ProgramSpec
    account : Account
    streams : sequence of StreamBytes
    """

    def __init__(
        self,
        spec: ProgramSpec,
        *,
        streams: Sequence[StreamBytes],
        account: Account,
        files: Files,
        names: Names,
    ) -> None:
        self.spec = spec
        self.account = account
        self.streams = streams
        self._contents, self._stacks = account.maps.tables, account.maps.stacks
        self._files = files
        self._names = names
        self._forbidden: set[int] = set()
        self._decoding = threading.RLock()

    @property
    def seconds(self) -> float:
        """How long the programs were attached."""
        return self.account.seconds

    @cached_property
    def _stack_names(self) -> StackNames | None:
        if not self._stacks:
            return None
        # Ids of several maps cannot be told apart in a column: the first map's are meant.
        return StackNames(
            self._stacks[0][1],
            self._names.kernel,
            self._user_names,
        )

    def _user_names(self, pid: int, addresses: Addresses) -> Sequence[str]:
        names = self._names.process(pid, addresses)
        if any(name.startswith("0x") for name in names) and self._names.forbidden(pid):
            self._forbidden.add(pid)
        return names

    @property
    def _built(self) -> dict[str, BuiltFrames]:
        # A live view asks beside the cell, and decoding uses the bytes up: the second to ask has to wait.
        with self._decoding:
            return self._decoded

    @cached_property
    def _decoded(self) -> dict[str, BuiltFrames]:
        return {
            each.stream.name: build(
                each.stream.types,
                each.batches,
                self.account.clock,
                stacks=self._stack_names,
                arch=self._names.arch,
                users=self._names.user,
                release=True,
            )
            for each in self.streams
            if each.stream.kind != "printk"
        }

    @cached_property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Events by stream name; those of a stream of several structs as ``stream.struct``."""
        frames: dict[str, pd.DataFrame] = {}
        for each in self.streams:
            name = each.stream.name
            if each.stream.kind == "printk":
                frames[name] = printk_frame(lines(each.batches), self.account.clock)
                continue
            built = in_words(self._built[name].frames, self._files, self._names.arch)
            for struct, frame in built.items():
                frames[name if len(built) == 1 else f"{name}.{struct}"] = frame
        return frames

    @cached_property
    def maps(self) -> dict[str, pd.DataFrame]:
        """Maps by name, typed."""
        frames = {
            each.name: map_frame(
                each,
                read.keys,
                read.values,
                self.account.clock,
                stacks=self._stack_names,
                arch=self._names.arch,
                users=self._names.user,
            )
            for each, read in self._contents
        }
        frames |= {each.name: stack_frame(stacks, self._names.kernel) for each, stacks in self._stacks}
        return frames

    @property
    def tables(self) -> Tables:
        """Streams and maps by name, the main one first and the map that counts failures last."""
        counting = [each.name for each, _ in self._contents if counts_failures(each)]
        names = [each.name for each, _ in (*self._contents, *self._stacks)]
        return Tables(self.frames, sorted(names, key=counting.count), lambda: self.maps)

    @property
    def main(self) -> pd.DataFrame:
        """The first stream's frame; without a stream, the first map's that does not count failures."""
        return self.tables[self.main_name]

    @property
    def main_name(self) -> str:
        """The name of :attr:`main` in ``frames`` or ``maps``."""
        for name in self.tables:
            return name
        raise UsageProblem(
            "there is nothing to show",
            why="this text has neither a stream of events nor a map",
            hint="trace.stats has the runs of its programs",
        )

    @cached_property
    def stats(self) -> Stats:
        """Counts of each stream, each program, and of failures."""
        counted = [failures(each, read) for each, read in self._contents if counts_failures(each)]
        return Stats(
            streams={
                each.stream.name: replace(
                    each.stats,
                    undecoded=each.taken.undecoded + self._undecoded(each.stream.name),
                    taken=each.taken.events,
                )
                for each in self.streams
            },
            programs=self.account.programs,
            failures=counted[0] if counted else None,
            why=self.account.uncounted,
        )

    def _undecoded(self, name: str) -> int:
        return self._built[name].undecoded if name in self._built else 0

    def taken(self) -> dict[str, Taken]:
        """What was handed out of each stream once the frames are, too."""
        return {
            each.stream.name: Taken(
                each.stats.delivered - each.stats.not_kept,
                each.taken.undecoded + self._undecoded(each.stream.name),
                each.taken.sizes + self._sizes(each.stream.name),
            )
            for each in self.streams
        }

    def _sizes(self, name: str) -> Counter[str]:
        return self._built[name].sizes if name in self._built else Counter()

    def without_events(self) -> Results:
        """The same once its frames are handed out."""
        taken = self.taken()
        made = copy.copy(self)
        for name in ("_decoded", "frames", "stats", "notes"):
            made.__dict__.pop(name, None)
        made.streams = [replace(each, batches=[], taken=taken[each.stream.name]) for each in self.streams]
        return made

    def glimpse(self) -> Glimpse:
        """What is known without decoding."""
        counts = tuple((each.stream, each.stats) for each in self.streams)
        return Glimpse(self.seconds, counts, self.account.clock, self._names)

    @property
    def delivered(self) -> int:
        """Events of all streams."""
        return sum(each.stats.delivered for each in self.streams)

    @property
    def dropped(self) -> int:
        """Events lost in the kernel, of all streams."""
        return sum(each.stats.dropped for each in self.streams)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the frames should know, a sentence each."""
        notes = []
        for each in self.streams:
            stats, name = self.stats.streams[each.stream.name], each.stream.name
            if stats.not_kept:
                kept = stats.delivered - stats.not_kept
                # What is taken makes room: those kept are the first ones no longer.
                which = f"{kept:,}" if stats.taken else f"the first {kept:,}"
                notes.append(
                    f"{name}: {which} of {stats.delivered:,} events were kept;"
                    " more with --keep SIZE (keep= in a script)"
                )
            notes += [f"{name}: {note}" for note in size_notes(each.taken.sizes + self._sizes(name))]
            if name in self._built:
                notes += [f"{name}: {note}" for note in self._built[name].mixed]
        notes += [f"{each.name}: {read.why}" for each, read in self._contents if read.why]
        notes += [
            f"{each.name}: too large, read in part" for each, read in self._contents if not read.complete
        ]
        notes += [f"{probe} was left out: {why}" for probe, why in self.account.left_out.items()]
        if self.account.nobody_followed:
            notes.append("followed: this text follows a command, and none was given")
        if self.account.unseen:
            notes.append(
                f"only: {self.account.unseen:,} reports of a fork or exit were lost: events may be missing"
            )
        if self.account.unmapped:
            notes.append(
                f"stacks: {self.account.unmapped:,} reports of mapped files were lost: names may be missing"
            )
        notes += self._unnamed() if self._stacks else []
        for name, program in self.account.programs.items():
            if program.missed:
                notes.append(
                    f"{name}: {program.missed:,} runs skipped by the kernel, which was inside it already"
                )
        notes += self.account.remarks
        return tuple(notes)

    def _unnamed(self) -> list[str]:
        """Why functions on call chains have no names."""
        found = []
        chains = [chain for _, stacks in self._stacks for chain in stacks.values()]
        if self._names.no_kernel and any(map(in_kernel, chains)):
            found.append(f"stacks: functions of the kernel have no names: {self._names.no_kernel}")
        # Making the tables is what looks the names up.
        if self.maps and self._forbidden:
            processes = "1 process" if len(self._forbidden) == 1 else f"{len(self._forbidden):,} processes"
            found.append(
                f"stacks: functions of {processes} of other users have no names: it takes CAP_SYS_PTRACE"
            )
        return found

    @property
    def replayed(self) -> str:
        """Where and when the recording was made that this is of, "" where this came just now."""
        return self._names.replayed

    @property
    def header(self) -> str:
        """One honest line: events, seconds, lost, cost per event, backend, probes."""
        return " · ".join(fact.text for fact in self.facts)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The parts of :attr:`header`."""
        facts = [Fact(self.replayed)] if self.replayed else []
        stats = self.stats
        if self.streams:
            undecoded = sum(stream.undecoded for stream in stats.streams.values())
            unkept = sum(stream.not_kept for stream in stats.streams.values())
            facts += [Fact(_count(self.delivered, "event")), Fact(f"{self.seconds:.2f} s")]
            facts += [Fact(f"{self.dropped:,} lost", bad=self.dropped > 0)]
            facts += [Fact(f"{undecoded:,} undecoded", bad=True)] if undecoded else []
            taken = sum(stream.taken for stream in stats.streams.values())
            kept = f"kept {'' if taken else 'the first '}{self.delivered - unkept:,}"
            facts += [Fact(kept, bad=True)] if unkept else []
            facts += [Fact(f"{taken:,} taken")] if taken else []
            # Programs also run for the events that a filter takes out: their cost is not the others'.
            if self.delivered and stats.cost and not self.account.filtered:
                facts.append(Fact(f"{stats.cost / self.delivered:,.0f} ns per event"))
        else:
            facts += [Fact(_count(len(self.maps), "map")), Fact(f"{self.seconds:.2f} s")]
        if stats.failures is not None:
            facts.append(Fact(summary(stats.failures), bad=any(stats.failures.values())))
        runs = sum(program.runs or 0 for program in self.account.programs.values())
        if runs and (self.account.filtered or not self.streams):
            facts.append(Fact(f"{stats.cost / runs:,.0f} ns per run"))
        facts += [
            Fact(f"{each.stream.name} as raw bytes: {each.stream.why}", bad=True)
            for each in self.streams
            if each.stream.why
        ]
        facts.append(Fact(self.spec.dialect.value, minor=True))
        facts.append(Fact(_places(self.spec), minor=True))
        facts += (
            [Fact(f"without {', '.join(map(str, self.account.left_out))}")] if self.account.left_out else []
        )
        return tuple(facts)


def _places(spec: ProgramSpec) -> str:
    """What its programs are attached to, each place once."""
    counted = Counter(str(program.probe) for program in spec.programs)
    return ", ".join(place if count == 1 else f"{count} × {place}" for place, count in counted.items())


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

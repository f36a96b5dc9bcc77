"""From the kernel's buffer into a DataFrame, while a program on another processor goes on writing.

The trace is the lab's own, with the collector's thread, and its frame has decoded columns; the others make
rows of the same members.  Each side gets as many events as take it about a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing

from benchmarks.consumers import Callbacks, Ctypes, Lab, Native, Round
from benchmarks.events import COMM_32, FILE_288, NUMBERS_64, OPENED, PLAIN_16, ROOM, Event, Kind
from benchmarks.harness import Effort, Goal, Result, Series, alternate, pinned, ratio

OURS, BCC, CTYPES, C = "the lab", "bcc, Python callbacks", "libbpf through ctypes", "libbpf in C, stored only"
UNIT = "million events per second of processor time"
PERF_ROOM = 1 << 20
"""Bytes of each CPU's perf buffer: the lab's are of this size."""
_MANY, _FEW = 4_000_000, 400_000
_RATE, _SECONDS = 2e6, 30
_COLUMNS = (
    "The C consumer stores bytes once, the lab stores them and then makes columns of them: both take memory"
    " pages for the first time, and such a page fault takes 2 µs on this virtual machine. Single runs on it"
    " differ by more than what is missing"
)
_TWICE = (
    "Records are copied twice, out of each processor's ring and without their headers, because a perf buffer"
    " is mapped once and its records wrap; and the events of several processors are put in order of time"
)
_WAITING = (
    f"The buffer of {ROOM >> 20} MiB lasts for 0.2 s, and on a machine with more to do than it has"
    " processors, the reader may wait longer than that for one"
)
_STORING = (
    "Most of the time goes to the first use of memory pages for 288 bytes an event, however little of them is"
    " text; the C consumer, which only stores them, has the same page faults. Tried: huge pages for what"
    " is kept, which took three times as long on this virtual machine; larger blocks for decoding, without"
    " effect; converting each distinct text once, which is kept (it halved the time for the frame)"
)


def ring_buffer(effort: Effort) -> Iterator[Result]:
    """Events of 32 bytes, against all others."""
    with pinned() as cpu, ExitStack() as stack:
        sides = {
            OURS: (stack.enter_context(closing(Lab("ring buffer", [COMM_32], cpu))), _MANY),
            BCC: (stack.enter_context(closing(Callbacks("ring buffer", [COMM_32], cpu))), _FEW),
            CTYPES: (stack.enter_context(closing(Ctypes(COMM_32, cpu))), _FEW),
            C: (stack.enter_context(closing(Native(COMM_32, cpu))), _MANY),
        }
        yield _compared(
            "ringbuf",
            f"Ring buffer of {ROOM >> 20} MiB to DataFrame, events of 32 bytes",
            sides,
            {BCC: 30, C: 0.6},
            effort,
            _COLUMNS,
        )


def sizes(effort: Effort) -> Iterator[Result]:
    """Events of other sizes, and of several sizes in one buffer."""
    kinds: Mapping[str, tuple[Sequence[Event], float]] = {
        "16 bytes": ([PLAIN_16], 20),
        "64 bytes": ([NUMBERS_64], 20),
        "288 bytes": ([FILE_288], 20),
        "16, 32, 64 and 288 bytes in turns": ([PLAIN_16, COMM_32, NUMBERS_64, FILE_288], 5),
    }
    for title, (events, least) in kinds.items():
        whole = f"Ring buffer to DataFrame, {title}"
        cause = _STORING if events == [FILE_288] else ""
        yield _against_bcc("sizes", whole, "ring buffer", events, least, effort, cause=cause)


def perf_buffer(effort: Effort) -> Iterator[Result]:
    """Perf buffers."""
    title = "Perf buffer to DataFrame, events of 32 bytes"
    yield _against_bcc("perfbuf", title, "perf buffer", [COMM_32], 20, effort, PERF_ROOM, _TWICE)


def decoded(effort: Effort) -> Iterator[Result]:
    """Events with a time, a name, flags and a file, all in words."""
    title = "Ring buffer to DataFrame with comm, time, flags, mode and file name decoded, 104 bytes"
    yield _against_bcc("decoded", title, "ring buffer", [OPENED], 10, effort)


def sustained(effort: Effort) -> Iterator[Result]:
    """Two million events a second for half a minute: what is lost?"""
    seconds = max(_SECONDS * effort.scale, 0.1)
    shares: dict[str, float] = {}
    lost: dict[str, float] = {}
    unaccounted = 0
    with pinned() as cpu:
        for name, make, share in (
            (OURS, lambda: Lab("ring buffer", [COMM_32], cpu), 1.0),
            (BCC, lambda: Callbacks("ring buffer", [COMM_32], cpu), 0.1),
        ):
            with closing(make()) as side:
                came = side(int(_RATE * seconds * share), _RATE)
            unaccounted += came.unaccounted
            lost[name] = 100 * came.lost / came.tried
            shares[name] = 100 * came.processor_seconds / came.wall_seconds
            if name == OURS:
                ours = came
    goals = (Goal(f"events lost of {ours.tried:,}", ours.lost, 0, "events", least=False, cause=_WAITING),)
    notes = (
        f"{seconds:g} s for the lab, a tenth of that for bcc, a ring buffer of {ROOM >> 20} MiB.",
        f"Processor time, the frame included: the lab {shares[OURS]:.0f} %, bcc {shares[BCC]:.0f} % of one.",
    )
    series = tuple(Series(name, (share,)) for name, share in lost.items())
    title = "Two million events of 32 bytes a second: share lost"
    yield Result("sustained", title, "% of the events", series, False, goals, unaccounted, notes)


def _against_bcc(
    name: str,
    title: str,
    kind: Kind,
    events: Sequence[Event],
    least: float,
    effort: Effort,
    room: int = ROOM,
    cause: str = "",
) -> Result:
    with pinned() as cpu, ExitStack() as stack:
        # Of large events fewer, so that they take no more memory.
        many = _MANY * COMM_32.size // max(COMM_32.size, *(event.size // 2 for event in events))
        sides: dict[str, tuple[Callable[[int], Round], int]] = {
            OURS: (stack.enter_context(closing(Lab(kind, events, cpu, room))), many),
            BCC: (stack.enter_context(closing(Callbacks(kind, events, cpu, room))), _FEW),
        }
        if kind == "ring buffer" and len(events) == 1:
            sides[C] = stack.enter_context(closing(Native(events[0], cpu, room))), many
        return _compared(name, title, sides, {BCC: least}, effort, cause)


def _compared(
    name: str,
    title: str,
    sides: Mapping[str, tuple[Callable[[int], Round], int]],
    goals: Mapping[str, float],
    effort: Effort,
    cause: str = "",
) -> Result:
    rounds: list[Round] = []

    def measure(side: Callable[[int], Round], events: int) -> float:
        came = side(effort.of(events, 1000))
        rounds.append(came)
        return came.rate

    series = alternate(
        {
            each: lambda side=side, events=events: measure(side, events)
            for each, (side, events) in sides.items()
        },
        effort.rounds,
    )
    return Result(
        name,
        title,
        UNIT,
        tuple(series.values()),
        goals=tuple(
            Goal(f"{OURS} / {other}", ratio(series[OURS], series[other]), least, "×", cause=cause)
            for other, least in goals.items()
        ),
        unaccounted=sum(each.unaccounted for each in rounds),
    )

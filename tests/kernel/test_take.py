"""Events taken in portions: each comes once, none is missing, and the counts still know of all."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from support.backends import LIBBPF, each_backend
from support.texts import EVENT, on_seek, seek_stream

import ebpf_lab
from ebpf_lab import Trace

each_kind = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("ringbuf", "perfbuf", "printk")]
)


def _delivered(trace: Trace, count: int) -> None:
    """Wait until so many events have been collected."""
    end = time.monotonic() + 30
    while sum(stats.delivered for stats in trace.stats.streams.values()) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def _offsets(frame: pd.DataFrame) -> list[int]:
    if "message" in frame:
        return [int(line.split()[1]) for line in frame["message"]]
    return frame["offset"].tolist()


@each_backend
@each_kind
def test_portions_are_the_whole(kind: str, backend: str, seek: Path) -> None:
    portions = []
    with ebpf_lab.trace(seek_stream(backend, kind)) as trace:
        for count, total in ((7, 7), (11, 18), (5, 23)):
            subprocess.run([seek, str(count)], check=True)
            _delivered(trace, total)
            if total < 23:
                portions.append(trace.take())
    # The last portion is taken after the end: until then it is what the frame has.
    assert len(trace.frame) == 5
    assert "23 events" in trace.header
    assert " · 18 taken · " in trace.header
    portions.append(trace.take())
    frames = [frame for portion in portions for frame in portion.values()]
    assert [sorted(_offsets(frame)) for frame in frames] == [[*range(7)], [*range(11)], [*range(5)]]
    assert all(frame.dtypes.equals(frames[0].dtypes) for frame in frames)
    assert len(trace.frame) == 0
    assert [len(frame) for frame in trace.take().values()] == [0]
    (stats,) = trace.stats.streams.values()
    assert (stats.delivered, stats.taken, stats.not_kept) == (23, 23, 0)
    assert " · 23 taken · " in trace.header


@LIBBPF
def test_taking_all_the_time_gives_each_event_once(seek: Path) -> None:
    """Also what comes while it is taken, of the command alone."""
    offsets: list[int] = []
    text = seek_stream("libbpf", "ringbuf")
    stranger = subprocess.Popen([seek, "10007"])
    trace = ebpf_lab.session.prepare(text, command=[str(seek), "10007"], only=True).start()
    try:
        while not trace.join(0):
            offsets += trace.take()["events"]["offset"].tolist()
    finally:
        trace.stop()
        assert stranger.wait(30) == 0
    offsets += trace.take()["events"]["offset"].tolist()
    assert sorted(offsets) == list(range(10007))
    assert trace.stats["events"].taken == 10007


@LIBBPF
def test_what_is_taken_makes_room(seek: Path) -> None:
    size = 96  # of struct event, rounded up generously
    with ebpf_lab.trace(seek_stream("libbpf", "ringbuf"), keep=30 * size) as trace:
        for total in (23, 46):
            subprocess.run([seek, "23"], check=True)
            _delivered(trace, total)
            assert len(trace.take()["events"]) == 23
        assert trace.stats["events"].not_kept == 0
        subprocess.run([seek, "101"], check=True)
        _delivered(trace, 147)
    stats = trace.stats["events"]
    assert stats.not_kept > 0
    assert len(trace.frame) == 147 - 46 - stats.not_kept
    assert f"kept {147 - stats.not_kept} · 46 taken" in trace.header
    assert f"events: {147 - stats.not_kept} of 147 events were kept" in trace.results().notes[0]


_UNLIKE = (
    EVENT
    + """
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } events SEC(".maps");
"""
)
_SHORT = """
    struct event event;
    fill(&event, offset);
    bpf_ringbuf_output(&events, &event, offset & 1 ? sizeof(event) : 5, 0);
"""


@LIBBPF
def test_what_was_undecoded_in_a_portion_is_still_counted(seek: Path) -> None:
    text = on_seek("libbpf", _SHORT, _UNLIKE)
    with ebpf_lab.session.prepare(text, event={"events": "event"}) as trace:
        subprocess.run([seek, "23"], check=True)
        _delivered(trace, 23)
        assert len(trace.take()["events"]) == 11
        subprocess.run([seek, "3"], check=True)
        _delivered(trace, 26)
    assert len(trace.frame) == 1
    assert "14 undecoded" in trace.header
    (note,) = trace.results().notes
    assert note.startswith("events: 14 events of 5 bytes fit no type")


@LIBBPF
def test_a_trace_that_was_not_started_has_nothing_to_take() -> None:
    trace = ebpf_lab.trace(seek_stream("libbpf", "ringbuf"))
    with pytest.raises(ebpf_lab.UsageProblem, match="no results"):
        trace.take()

"""The live view without a kernel: how it is paced, what it samples, and what stays in a saved notebook."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from ebpf_lab import progress
from ebpf_lab.backends.loaded import LoadedStream
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.live import cells, still
from ebpf_lab.live.pace import Pace
from ebpf_lab.live.rates import Rates
from ebpf_lab.live.sampler import ROWS, SAMPLE, Choice, Sampler, matches, thinned
from ebpf_lab.names import RunningMachine
from ebpf_lab.readers.batch import Batch
from ebpf_lab.source.ctype import Array, Int, Member, Struct
from ebpf_lab.stats import StreamStats
from ebpf_lab.watching import Glimpse, Watch

CHAR = Int("char", 1, signed=True, char=True)
EVENT = Struct(
    "event", 12, (Member("pid", Int("u32", 4, signed=False), 0), Member("comm", Array(CHAR, 8), 32))
)
OTHER = Struct("other", 4, (Member("code", Int("u32", 4, signed=False), 0),))
CLOCK = TraceClock.now()


def stream(*types: Struct) -> LoadedStream:
    return LoadedStream("events", "ringbuf", None, types or (EVENT,))


def batch(pids: Sequence[int], order: int, comm: bytes = b"cat") -> Batch:
    data = np.zeros((len(pids), 12), np.uint8)
    data[:, :4] = np.array(pids, "<u4").view(np.uint8).reshape(-1, 4)
    data[:, 4 : 4 + len(comm)] = np.frombuffer(comm, np.uint8)
    return Batch(12, data, order)


def glimpse(delivered: int, dropped: int = 0, of: LoadedStream | None = None) -> Glimpse:
    stats = StreamStats(delivered, dropped, 0, 0)
    return Glimpse(1.0, ((of or stream(), stats),), CLOCK, RunningMachine({}))


class TestPace:
    def test_nothing_is_sent_before_a_page_is_there(self) -> None:
        assert not Pace().may_send(0)

    def test_one_update_is_under_way_at_a_time(self) -> None:
        pace = Pace(0.1)
        pace.arrived()
        number = pace.send(1.0)
        assert not pace.may_send(99.0)
        pace.shown(number)
        assert not pace.may_send(1.05)
        assert pace.may_send(1.1)

    def test_an_old_answer_does_not_let_another_one_through(self) -> None:
        pace = Pace(0)
        pace.arrived()
        first, _ = pace.send(0), pace.send(0)
        pace.shown(first)
        assert not pace.watched
        pace.shown(99)
        assert pace.watched
        pace.send(0)
        assert not pace.watched

    def test_a_page_that_comes_again_gets_updates(self) -> None:
        pace = Pace(0)
        pace.arrived()
        pace.send(0)
        pace.arrived()
        assert pace.may_send(1)


class TestWatch:
    def test_what_waits_is_bounded_and_the_newest(self) -> None:
        watch = Watch(most=240)
        for number in range(50):
            watch.add(0, batch([number] * 10, number * 10))
        (waiting,) = watch.take().values()
        assert [each.order for each in waiting] == [480, 490]
        assert watch.take() == {}


class TestSampler:
    def test_few_events_are_all_shown_and_counted(self) -> None:
        sampler = Sampler()
        assert sampler.look(glimpse(23), {0: [batch(range(23), 0)]}, 0.0)
        state = sampler.state()
        assert state["columns"] == [("pid", True), ("comm", False)]
        assert [row[0] for row in state["rows"]] == [str(pid) for pid in range(22, -1, -1)]
        assert (state["decoded"], state["came"]) == (23, 23)
        assert state["top"]["column"] == "comm"
        assert state["top"]["values"] == [("cat", 23)]

    def test_of_many_events_a_sample_is_decoded_and_said_to_be_one(self) -> None:
        sampler = Sampler()
        many = SAMPLE * 7
        sampler.look(glimpse(many), {0: [batch(range(at, at + 100), at) for at in range(0, many, 100)]}, 0.0)
        state = sampler.state()
        assert state["events"] == state["came"] == many
        assert state["decoded"] == SAMPLE
        assert len(state["rows"]) == ROWS
        assert "a sample: 1,000 of 7,000 events" in still.sample_words(state)

    def test_nothing_new_is_nothing_to_show(self) -> None:
        sampler = Sampler()
        assert sampler.look(glimpse(1), {}, 0.0)
        assert not sampler.look(glimpse(1), {}, 1.0)
        assert sampler.look(glimpse(1, dropped=1), {}, 2.0)
        assert not sampler.look(None, {}, 3.0)

    def test_a_filter_begins_anew_and_keeps_what_it_found(self) -> None:
        sampler = Sampler()
        sampler.look(glimpse(3), {0: [batch([1, 2, 3], 0)]}, 0.0)
        assert sampler.choose(Choice(filter="pid=2"))
        assert not sampler.choose(Choice(filter="pid=2"))
        assert sampler.state()["rows"] == []
        sampler.look(glimpse(6), {0: [batch([1, 2, 3], 3)]}, 1.0)
        sampler.look(glimpse(9), {0: [batch([22, 3, 1], 6)]}, 2.0)
        assert sampler.state()["rows"] == [("2", "cat")]

    def test_another_column_is_counted_from_then_on(self) -> None:
        sampler = Sampler()
        sampler.look(glimpse(3), {0: [batch([1, 1, 3], 0)]}, 0.0)
        sampler.choose(Choice(column="pid"))
        sampler.look(glimpse(6), {0: [batch([5, 5, 3], 3)]}, 1.0)
        assert sampler.state()["top"]["values"] == [("5", 2), ("3", 1)]

    def test_types_of_one_stream_are_tables(self) -> None:
        of = stream(EVENT, OTHER)
        both = {0: [batch([1], 0), Batch(4, np.full((2, 4), 1, np.uint8), 1)]}
        sampler = Sampler()
        sampler.look(glimpse(3, of=of), both, 0.0)
        assert sampler.state()["tables"] == ["events.event", "events.other"]
        sampler.choose(Choice(table="events.other"))
        sampler.look(glimpse(6, of=of), both, 1.0)
        state = sampler.state()
        assert state["table"] == "events.other"
        assert len(state["rows"]) == 2


def test_a_sample_is_spaced_evenly_over_batches() -> None:
    batches = [batch(range(at, at + 7), at) for at in range(0, 70, 7)]
    taken = thinned(batches, 10)
    assert [int(data[0]) for each in taken for data in each.data] == list(range(0, 70, 7))
    assert sum(map(len, thinned(batches, 70))) == 70


def test_rows_match_by_text_or_by_column() -> None:
    names, row = ["pid", "comm"], ["77", "Chrome"]
    assert matches("chro", names, row)
    assert matches("comm = Chrome", names, row)
    assert not matches("comm=Chro", names, row)
    assert not matches("pid=7", names, row)
    assert matches("7", names, row)


class TestRates:
    def test_rates_are_of_the_time_between(self) -> None:
        rates = Rates()
        for quarter in range(9):
            rates.add(quarter / 4, 25 * quarter, quarter)
        state = rates.state()
        assert state["points"] == [100.0] * 8
        assert state["lost_points"] == [4.0] * 8
        assert state["rate"] == 100

    def test_what_came_before_is_no_rate(self) -> None:
        rates = Rates()
        rates.add(10.0, 1_000_000, 0)
        rates.add(11.0, 1_000_000, 0)
        assert rates.state()["points"] == [0.0] * 4


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Series(pd.to_timedelta([1_500_000, None])), ["0.001500", ""]),
        (pd.Series(pd.Categorical(["a", None, "b"])), ["a", "", "b"]),
        (pd.Series(HexArray(np.array([255], np.uint64))), ["0xff"]),
        (pd.Series([b"\0\x01"]), ["0001"]),
        (pd.Series(["x" * 200]), ["x" * 79 + "…"]),
        (pd.Series([np.array([1, 2])]), ["1 2"]),
        (pd.Series([True, False]), ["True", "False"]),
    ],
)
def test_cells(column: pd.Series, expected: list[str]) -> None:
    assert cells.texts(column) == expected


class TestStill:
    def state(self, **changes: object) -> dict[str, object]:
        sampler = Sampler()
        sampler.look(glimpse(3, 2), {0: [batch([1, 2, 3], 0, b"<b>")]}, 0.0)
        running = {"phase": "running", "step": "", "seconds": 1.5, "probes": ["p"], "header": "", "notes": []}
        return {"error": "", **running, **sampler.state(), **changes}

    def test_what_runs(self) -> None:
        text = still.plain(self.state())
        assert text.splitlines()[0] == "running · 3 events · 2 lost · 1.50 s · p"
        assert text.splitlines()[1:3] == ["pid  comm", "3    <b>"]
        html = still.html(self.state())
        assert "2 lost</span>" in html
        assert "&lt;b&gt;" in html
        assert "<b>" not in html

    def test_what_ended_begins_with_its_header(self) -> None:
        ended = self.state(phase="ended", header="3 events · 1.50 s · 2 lost", notes=["a note"])
        assert still.plain(ended).splitlines()[:2] == ["3 events · 1.50 s · 2 lost", "a note"]
        assert "a note" in still.html(ended)

    def test_what_failed_says_why(self) -> None:
        failed = self.state(phase="failed", error="CompileError: no\n  line 1:  x", columns=[], rows=[])
        assert still.plain(failed) == "CompileError: no\n  line 1:  x"
        assert "line 1" in still.html(failed)

    def test_what_is_being_prepared_says_how_far_it_is(self) -> None:
        preparing = self.state(phase="preparing", step="compiling")
        assert still.headline(preparing) == "preparing · compiling · p"


def test_steps_are_told_in_the_thread_that_makes_them() -> None:
    told: list[str] = []
    progress.step("unheard")
    with progress.told_to(told.append):
        progress.step("one")
        other = threading.Thread(target=progress.step, args=("of another thread",))
        other.start()
        other.join()
        with progress.told_to(lambda words: None):
            progress.step("nested")
        progress.step("two")
    assert told == ["one", "two"]

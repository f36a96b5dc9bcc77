"""What plots are made of, read back from matplotlib's own objects."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from ebpf_lab import plot
from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.plots import log2
from ebpf_lab.plots.accessor import Plots
from ebpf_lab.plots.canvas import Canvas
from ebpf_lab.plots.choice import suggestions
from ebpf_lab.plots.colours import DARK
from ebpf_lab.plots.flame import boxes
from ebpf_lab.plots.timeline import bins
from ebpf_lab.plots.tree import rows


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    from matplotlib import pyplot

    matplotlib.use("Agg")
    yield
    pyplot.close("all")


def times(*nanoseconds: int | None) -> pd.Series[Any]:
    return pd.Series(pd.to_timedelta(list(nanoseconds), unit="ns"))


def events(count: int = 23) -> pd.DataFrame:
    """Events such as a trace of openat brings."""
    return pd.DataFrame(
        {
            "ts": times(*(1_000_000 * at for at in range(count))),
            "duration_ns": times(*(1000 + at for at in range(count))),
            "pid": np.arange(count, dtype=np.uint32) + 100,
            "ppid": np.full(count, 99, np.uint32),
            "comm": pd.Categorical(["cat" if at % 3 else "sh" for at in range(count)]),
            "file": HexArray(np.arange(count, dtype=np.uint64)),
        }
    )


def histogram() -> pd.DataFrame:
    slots = np.array([1, 2, 3, 1])
    return pd.DataFrame(
        {
            "comm": pd.Categorical(["a", "a", "a", "b"]),
            "slot": slots,
            "low": np.array([0, 2, 4, 0], np.uint64),
            "high": np.array([1, 3, 7, 1], np.uint64),
            "count": np.array([3, 13, 7, 6], np.uint64),
        }
    )


def chains() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_stack_id": [1, 1],
            "user_stack": ["main+0x1;work+0x2", "main+0x1"],
            "kernel_stack_id": [2, -14],
            "kernel_stack": ["do_syscall_64+0x1;vfs_read+0x2", "[EFAULT]"],
            "comm": ["busy", "busy"],
            "count": [17, 6],
        }
    )


def words(axes: Axes) -> str:
    """Everything that is written in a plot's figure."""
    texts = [each.get_text() for each in axes.figure.findobj(matplotlib.text.Text)]
    return "\n".join(text for text in texts if text)


def rendered(axes: Axes) -> bytes:
    into = io.BytesIO()
    axes.figure.savefig(into, format="png")
    return into.getvalue()


# What is drawn of which frame


@pytest.mark.parametrize(
    ("frame", "first", "others"),
    [
        (events(), "tree", {"latency", "heatmap", "timeline", "counts"}),
        (histogram(), "latency", set()),
        (chains(), "flame", set()),
        (events()[["ts", "comm"]], "timeline", {"counts", "heatmap"}),
        (events()[["ts"]], "timeline", set()),
        (pd.DataFrame({"nr_name": ["read", "write"], "count": [5, 7]}), "counts", set()),
        (pd.DataFrame({"pid": [1, 2], "value": [2, 3]}), "counts", set()),
        (pd.DataFrame({"key": [1], "value": [36_600_639_450_321]}), None, set()),
        (pd.DataFrame({"ts": times(1, 2), "delta_us": [3, 4]}), "latency", {"heatmap", "timeline"}),
    ],
    ids=[
        "events",
        "histogram",
        "stacks",
        "times and names",
        "times",
        "counts by name",
        "counts by number",
        "times by number",
        "microseconds",
    ],
)
def test_the_columns_choose_the_plot(frame: pd.DataFrame, first: str | None, others: set[str]) -> None:
    found = [each.method for each in suggestions(frame)]
    assert (found[0] if found else None) == first
    assert others <= set(found)
    if first is None:
        with pytest.raises(UsageProblem, match="suggest no plot"):
            plot(frame)()
    else:
        assert len(rendered(plot(frame)())) > 5000


def test_every_suggestion_can_be_drawn_also_of_nothing() -> None:
    for frame in (events(), histogram(), chains()):
        for each in suggestions(frame):
            assert rendered(getattr(plot(frame), each.method)(**each.arguments))
            axes = getattr(plot(frame[:0]), each.method)(**each.arguments)
            assert "there is n" in words(axes)
            assert not axes.axison


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("timeline", "needs a column of points in time"),
        ("heatmap", "needs a column of points in time"),
        ("counts", "needs a column of names"),
        ("latency", "needs a column of durations"),
        ("flame", "needs a column of call chains"),
        ("tree", "needs columns pid and ppid"),
    ],
)
def test_what_cannot_be_drawn_says_what_it_needs(method: str, said: str) -> None:
    with pytest.raises(UsageProblem, match=said) as caught:
        getattr(plot(pd.DataFrame({"key": [1]})), method)()
    assert "the columns are key" in caught.value.why
    assert caught.value.hint


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(UsageProblem, match="no column 'com'") as caught:
        plot(events()).counts("com")
    assert caught.value.hint == "did you mean comm?"
    with pytest.raises(UsageProblem, match="no numbers"):
        plot(events()).latency("comm")
    with pytest.raises(UsageProblem, match="no stream or map 'evnts'"):
        Plots({"events": events()}).timeline(of="evnts")


def test_the_first_table_that_has_it_is_drawn() -> None:
    tables = {"events": events(), "samples": chains()}
    assert "busy" in words(Plots(tables).flame())
    assert "Processes" in words(Plots(tables)())
    with pytest.raises(UsageProblem, match="call chains"):
        Plots(tables).flame(of="events")


# Exact figures


def test_log2_buckets_are_exact() -> None:
    values = np.array([-1, 0, 1, 2, 3, 4, 1023, 1024, 2**54 - 1, 2**54, 2**63 - 1])
    assert log2.slots(values).tolist() == [1, 1, 1, 2, 2, 3, 10, 11, 54, 55, 63]
    assert [log2.low(slot) for slot in (1, 2, 3, 11)] == [0, 2, 4, 1024]


def test_numbers_of_any_kind_become_integers() -> None:
    assert log2.whole(pd.Series([1, 2**64 - 1], dtype="uint64")).tolist() == [1, 2**63 - 1]
    assert log2.whole(pd.Series([1.9, np.nan, np.inf])).tolist() == [1, 2**62]
    assert log2.whole(pd.Series([7, pd.NA], dtype="Int64")).tolist() == [7]
    assert log2.whole(pd.Series([200], dtype="uint8")).tolist() == [200]


def test_the_bars_of_durations() -> None:
    # 2**9 = 512 ≤ 600, 700 < 1024 ≤ 1024, 2000 < 2048 ≤ 4000; one is missing.
    frame = pd.DataFrame({"duration_ns": times(600, 700, 1024, 2000, 4000, None)})
    axes = plot(frame).latency()
    bars = {round(bar.get_x()): bar.get_height() for bar in axes.patches if bar.get_height()}
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert {labels[at]: height for at, height in bars.items()} == {"512 ns": 2, "1.02 µs": 2, "2.05 µs": 1}
    assert "5 events · median 1.02 µs · 99 % up to 4 µs · longest 4 µs" in words(axes)


def test_microseconds_are_times() -> None:
    axes = plot(pd.DataFrame({"delta_us": [1, 1024, 1025]})).latency()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels[:2] == ["0 ns", "2 µs"]
    assert "median 1.02 ms · 99 % up to 1.02 ms · longest 1.02 ms" in words(axes)


def test_the_bars_of_a_histogram_map() -> None:
    axes = plot(histogram()).latency()
    heights = np.zeros(6)
    for bar in axes.patches:
        heights[round(bar.get_x())] += bar.get_height()
    assert heights.tolist() == [9, 13, 7, 0, 0, 0]
    # 29 values: the 15th is in slot 2.
    assert "29 values · median 2 to 4 · 99 % below 8" in words(axes)
    assert "µs" in words(plot(histogram()).latency(unit="us"))
    with pytest.raises(UsageProblem, match="unit='hours'"):
        plot(histogram()).latency(unit="hours")


def test_a_timeline_has_every_event_once() -> None:
    frame = events(1009)
    frame.loc[7, "ts"] = pd.NaT
    axes = plot(frame).timeline(by="comm")
    assert sum(bar.get_height() for bar in axes.patches) == 1008
    assert "1,008 events, 1 more without a time" in words(axes)
    assert {"cat", "sh"} <= set(words(axes).split("\n"))


@pytest.mark.parametrize(
    ("at", "width"),
    [([5], 1), ([0, 79], 1), ([0, 81], 2), ([0, 10**9], 2 * 10**7), ([-30, 10**6], 2 * 10**4)],
)
def test_bars_are_of_a_round_width(at: list[int], width: int) -> None:
    edges = bins(np.array(at))
    assert set(np.diff(edges)) == {width}
    assert edges[0] <= min(at) <= max(at) < edges[-1]
    assert len(edges) <= 82


def test_a_heat_map_of_names_and_of_durations() -> None:
    for column in ("comm", "duration_ns", "pid"):
        axes = plot(events()).heatmap(column)
        (mesh,) = axes.collections
        assert mesh.get_array().sum() == 23


def test_counts_name_the_first_and_tell_of_the_others() -> None:
    frame = pd.DataFrame({"comm": [f"c{at}" for at in range(29) for _ in range(at + 1)]})
    axes = plot(frame).counts("comm")
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert (labels[0], len(labels)) == ("c28", 20)
    assert "435 rows · 29 values, of which 9 others with 45 are not shown" in words(axes)
    weighted = pd.DataFrame({"nr_name": ["read", "write"], "count": [5, 7]})
    assert [bar.get_width() for bar in plot(weighted).counts().patches] == [7, 5]


def test_a_flame_graph_is_as_wide_as_its_counts() -> None:
    total, found = boxes(chains(), "count")
    assert total == 23
    wide = {box.name: (round(box.width * 23), box.depth, box.kind) for box in found}
    assert wide == {
        "busy": (23, 0, "command"),
        "main": (23, 1, "user"),
        "work": (17, 2, "user"),
        "do_syscall_64": (17, 3, "kernel"),
        "vfs_read": (17, 4, "kernel"),
    }


def test_a_tree_of_processes() -> None:
    frame = pd.DataFrame(
        {
            "ts": times(10, 20, 2000, 40),
            "pid": [2, 3, 3, 4],
            "ppid": [1, 2, 2, 3],
            "comm": ["sh", "sh", "true", "cat"],
        }
    )
    found = [
        (each.pid, each.words, each.when, each.depth, each.parent) for each in rows(frame, "pid", "ppid")
    ]
    assert found == [
        (1, "", "", 0, -1),
        (2, "sh", "10 ns", 1, 0),
        (3, "true", "20 ns", 2, 1),
        (4, "cat", "40 ns", 3, 2),
    ]


def test_processes_whose_numbers_go_round_in_circles() -> None:
    frame = pd.DataFrame({"pid": [5, 6, 7], "ppid": [6, 5, 7]})
    found = list(rows(frame, "pid", "ppid"))
    assert sorted(each.pid for each in found) == [5, 6, 7]
    assert rendered(plot(frame).tree())


# Readable, whatever the names are


def test_names_are_text_and_nothing_else() -> None:
    names = ["$\\frac{1$", "<script>alert(1)</script>", "a\x1b[31mb\n", "x" * 300]
    frame = events(8).assign(comm=pd.Categorical(names * 2))
    for axes in (plot(frame).counts("comm"), plot(frame).timeline("comm"), plot(frame).tree()):
        assert rendered(axes)
        assert "a\\x1b[31mb\\n" in words(axes)
        assert "x" * 120 not in words(axes)


def test_long_names_are_not_cut_off() -> None:
    frame = pd.DataFrame({"file": ["/usr/lib/python3/dist-packages/" + "x" * 80, "/b"], "count": [3, 5]})
    axes = plot(frame).counts("file")
    axes.figure.canvas.draw()
    for label in axes.get_yticklabels():
        assert label.get_window_extent().x0 >= 0


def test_it_draws_where_it_is_told_to() -> None:
    from matplotlib.figure import Figure

    left, right = Figure().subplots(1, 2)
    assert plot(events()).timeline(ax=left) is left
    assert plot(events()).latency(ax=right) is right
    assert left.get_title(loc="left").startswith("Events over time")


def test_a_dark_canvas_without_a_window() -> None:
    from matplotlib import pyplot

    axes = Plots({"events": events()}, Canvas(DARK, offscreen=True)).timeline()
    assert matplotlib.colors.to_hex(axes.figure.get_facecolor()) == DARK.ground
    assert pyplot.get_fignums() == []


def test_matplotlib_comes_with_the_first_plot() -> None:
    code = (
        "import sys, ebpf_lab, ebpf_lab.notebook.magics; ebpf_lab.trace; ebpf_lab.plot; "
        "sys.exit('matplotlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

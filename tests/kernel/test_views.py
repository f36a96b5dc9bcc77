"""What a real trace shows of itself: its view, its page, its plots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.texts import seek_stream

import ebpf_lab
from ebpf_lab import page
from ebpf_lab.notebook.view.widget import View
from ebpf_lab.plots.accessor import Plots
from ebpf_lab.plots.canvas import Canvas
from ebpf_lab.session import Trace

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")

COUNTED = """
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16);
         __type(key, u32); __type(value, u64); } seen SEC(".maps");
"""


@pytest.fixture(scope="module")
def trace(seek: Path) -> Trace:
    return ebpf_lab.trace(seek_stream("libbpf", "ringbuf") + COUNTED, command=[str(seek), "23"])


@pytest.fixture
def view(trace: Trace) -> Iterator[View]:
    shown = View(trace.results(), "_bpf", "token")
    yield shown
    shown.close()


def test_the_numbers_of_the_view(trace: Trace, view: View) -> None:
    assert " · ".join(fact["text"] for fact in view.facts) == trace.header
    assert [fact["text"] for fact in view.facts if fact["bad"]] == []
    assert view.facts[0]["text"] == "23 events"
    assert view.tables == [{"name": "events", "map": False}, {"name": "seen", "map": True}]
    assert (view.page["total"], len(view.page["rows"])) == (23, 10)
    names = [column["name"] for column in view.page["columns"]]

    view.query = {"number": 1, "table": "events", "sort": "offset", "descending": True, "size": 25}
    assert [row[names.index("offset")] for row in view.page["rows"]] == [str(22 - at) for at in range(23)]
    assert view.page["rows"][0][names.index("where")] == "0xffff000000000016"

    view.query = {"number": 2, "table": "events", "words": "parity:odd"}
    assert view.page["matched"] == 11
    view.query = {"number": 3, "table": "events", "words": "0xffff000000000016"}
    assert view.page["labels"] == ["22"]
    view.query = {"number": 4, "table": "seen"}
    assert view.page["total"] == 0


def test_the_page_that_stays(trace: Trace) -> None:
    html = page.html(trace.results())
    assert "10 of 23 rows · not shown: seen" in html
    assert "0xffff000000000016" in html
    assert page.text(trace.results()).split("\n")[0] == trace.header


def test_the_plots_have_every_event(trace: Trace) -> None:
    plots = Plots(trace.results().tables, Canvas(offscreen=True))
    assert sum(bar.get_height() for bar in plots.timeline("parity").patches) == 23
    assert [bar.get_width() for bar in plots.counts("parity").patches] == [12, 11]
    bars = plots.latency("offset").patches
    # 0 and 1; 2 and 3; 4 to 7; 8 to 15; 16 to 22.
    assert [bar.get_height() for bar in bars if bar.get_height()] == [2, 2, 4, 8, 7]
    with pytest.raises(ebpf_lab.UsageProblem, match="needs columns pid and ppid"):
        plots.tree()

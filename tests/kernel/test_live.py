"""The live view, with a real kernel behind it and a page in front of it that has no subshells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.notebook_kernel import Page, notebook
from support.texts import seek_stream

import ebpf_lab
from ebpf_lab import session

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")

REJECTED = """
SEC("tracepoint/syscalls/sys_enter_lseek")
int loops(void *ctx)
{
    for (volatile int i = 0; i >= 0; i++)
        ;
    return 0;
}
"""


@pytest.fixture(scope="module")
def one_page() -> Iterator[Page]:
    with notebook() as made:
        yield made


@pytest.fixture
def page(one_page: Page) -> Page:
    one_page.forget()
    return one_page


@pytest.fixture(scope="module")
def text() -> str:
    return seek_stream("libbpf", "ringbuf")


def test_stop_ends_a_cell_that_blocks_and_nothing_is_lost(page: Page, text: str, seek: Path) -> None:
    cell = page.run(f"%%bpf --live -o found -- sh -c '{seek} 23; exec sleep 1000'\n{text}")
    behind = page.run("print(len(found))")
    page.until(lambda: page.state.get("events") == 23)
    assert page.state["phase"] == "running"
    assert len(page.state["rows"]) == page.state["decoded"] == 23
    page.say(kind="stop")
    page.until(lambda: behind.idle)
    assert not cell.error
    # What was sent while the cell blocked kept its place behind it.
    assert behind.text == "23\n"
    assert page.state["phase"] == "ended"
    assert page.state["header"].startswith("23 events · ")
    last = cell.outputs[-1]["data"]
    assert last["text/plain"].startswith("23 events · ")
    assert "text/html" in last
    # Another day there is no widget to be shown.
    assert "application/vnd.jupyter.widget-view+json" not in last


def test_a_page_that_does_not_answer_gets_one_update_and_the_end(page: Page, text: str, seek: Path) -> None:
    page.answers = False
    repeated = f"for i in 1 2 3 4 5 6 7; do {seek} 23; sleep 0.2; done"
    cell = page.run(f"%%bpf --live -o found -- sh -c '{repeated}'\n{text}")
    page.until(lambda: cell.idle)
    assert page.finish("print(len(found))").text == "161\n"
    # One without an answer, then that it has ended, and the line that says what came.
    assert page.updates == 3
    assert page.state["events"] == 161
    assert page.state["header"].startswith("161 events · ")


def test_what_the_reader_chooses(page: Page, text: str, seek: Path) -> None:
    page.run(f"%%bpf --live -o found -- sh -c '{seek} 23; sleep 0.3; {seek} 23; exec sleep 1000'\n{text}")
    page.until(lambda: page.state.get("columns"))
    page.say(kind="choose", what="column", value="parity")
    page.say(kind="choose", what="filter", value="offset=7")
    page.until(lambda: page.state["filter"] and page.state["top"]["values"])
    page.say(kind="choose", what="filter", value="")
    page.until(lambda: page.state["events"] == 46)
    page.say(kind="stop")
    page.until(lambda: page.state["phase"] == "ended")
    assert page.state["top"]["column"] == "parity"
    assert {name for name, _ in page.state["top"]["values"]} <= {"EVEN", "ODD"}


@pytest.mark.parametrize("option", ["-t 1", "--bg"])
def test_a_trace_that_fails_says_why(page: Page, option: str) -> None:
    cell = page.finish(f"%%bpf {option} --live\n{REJECTED}")
    assert cell.error == "VerifierRejected"
    assert page.state["phase"] == "failed"
    first, *rest = page.state["error"].splitlines()
    assert first.startswith("VerifierRejected: loops")
    assert any("line 5:" in line for line in rest), rest


def test_in_a_terminal_it_says_what_to_do(text: str) -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match="needs a notebook") as caught:
        session.prepare(text).live()
    assert "ebpf-lab run" in caught.value.hint

"""``%%bpf`` cells in JupyterLab's editor: colours, comments, brackets, and the last run's errors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from support.jupyter_page import Lab, serving
from support.machine import ROOT

C = """%%bpf -t 60 -- true
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16);
         __type(key, u32); __type(value, u64); } counts SEC(".maps");

// Counts what is opened.
SEC("tracepoint/syscalls/sys_enter_openat")
int opened(struct trace_event_raw_sys_enter *ctx)
{
    u32 key = 7;
    u64 *count = bpf_map_lookup_elem(&counts, &key);
    *count += 1;
    return 0;
}"""
PYTHON = "# Python\nfor each in range(7):\n    print(each // 2)"
LOAD, BPF, PY, EMPTY = range(4)
MARKS = ".ebpf-lab-mark"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("cells")
    # Before what is installed: the extension as it is here.
    shutil.copytree(ROOT / "ebpf_lab/labextension", folder / "share/labextensions/ebpf-lab")
    with serving(folder, {"JUPYTER_PATH": str(folder / "share")}) as served:
        served.open("cells.ipynb", ["%load_ext ebpf_lab", C, PYTHON, ""])
        served.page.locator(".cm-line span", has_text="// Counts").wait_for()
        yield served


def colours(lab: Lab, cell: int) -> dict[str, str]:
    """Colours by text, of each piece of the cell's text that has one of its own."""
    found: dict[str, str] = lab.page.evaluate(
        """cell => Object.fromEntries(
            [...document.querySelectorAll('.jp-CodeCell')[cell].querySelectorAll('.cm-line span')]
            .map(each => [each.textContent, getComputedStyle(each).color]))""",
        cell,
    )
    return found


def line(lab: Lab, cell: int, text: str) -> str:
    """The line that has this text, as it is in the editor."""
    return str(lab.page.locator(".jp-CodeCell").nth(cell).locator(".cm-line", has_text=text).text_content())


def click(lab: Lab, cell: int, text: str) -> None:
    lab.page.locator(".jp-CodeCell").nth(cell).locator(".cm-line", has_text=text).first.click()


def marked(lab: Lab) -> list[tuple[str, str]]:
    """What is underlined, and how."""
    return [
        (str(each.get_attribute("class")).rpartition("-")[2], each.inner_text())
        for each in lab.page.locator(MARKS).all()
    ]


def test_c_has_the_colours_that_python_has(lab: Lab) -> None:
    c, python = colours(lab, BPF), colours(lab, PY)
    assert c["// Counts what is opened."] == python["# Python"]
    assert c["struct"] == c["return"] == python["for"]
    assert c["7"] == c["60"] == python["7"]
    # Names of types, in declarations and in what libbpf's macros declare.
    assert c["int"] == c["u32"] == c["u64"] == python["range"]
    assert c["__uint"] == c["__type"] != c["u32"] == c["BPF_MAP_TYPE_HASH"]
    assert c["type"] == c["max_entries"] == c["key"] == c["value"]
    assert len({c["%%bpf"], c["-t"], c['".maps"'], c["struct"], c["// Counts what is opened."]}) == 5


def test_comments_are_the_line_s_language_s(lab: Lab) -> None:
    for cell, text, comment in (
        (BPF, "u32 key", "    // u32 key = 7;"),
        (PY, "print", "    # print(each // 2)"),
    ):
        before = line(lab, cell, text)
        click(lab, cell, text)
        lab.page.keyboard.press("Control+/")
        assert line(lab, cell, text) == comment
        lab.page.keyboard.press("Control+/")
        assert line(lab, cell, text) == before


def test_matching_brackets_are_shown(lab: Lab) -> None:
    click(lab, BPF, "int opened")
    lab.page.keyboard.press("End")
    found = lab.page.locator(".jp-CodeCell").nth(BPF).locator(".cm-matchingBracket")
    found.first.wait_for()
    assert found.all_inner_texts() == ["(", ")"]


def test_colours_follow_the_first_line(lab: Lab) -> None:
    lab.page.locator(".jp-CodeCell").nth(EMPTY).locator(".cm-content").click()
    lab.page.keyboard.type("%%bpf\nreturn sizeof(x); // note")
    as_c = colours(lab, EMPTY)
    lab.page.keyboard.press("Control+Home")
    lab.page.keyboard.type("#")
    as_python = colours(lab, EMPTY)
    lab.page.keyboard.press("Backspace")
    assert colours(lab, EMPTY) == as_c
    assert {"return", "sizeof", "// note"} <= as_c.keys()
    assert "#%%bpf" in as_python
    assert "// note" not in as_python


def test_an_error_is_marked_until_the_cell_runs_well(lab: Lab) -> None:
    lab.run(LOAD)
    lab.run(BPF)
    lab.page.wait_for_selector(MARKS)
    rejected = [("note", "bpf_map_lookup_elem(&counts, &key)"), ("error", "*count")]
    assert marked(lab) == rejected
    lab.page.locator(".ebpf-lab-error").hover()
    message = lab.page.locator(".ebpf-lab-message")
    message.wait_for()
    assert message.inner_text().startswith("VerifierRejected: opened: R0 invalid mem access")
    assert "fix: if (!count) return 0;" in message.inner_text()

    lab.save()
    lab.show("cells.ipynb")
    lab.page.wait_for_selector(MARKS)
    assert marked(lab) == rejected

    click(lab, BPF, "u64 *count")
    lab.page.keyboard.press("End")
    lab.page.keyboard.type("\nif (!count) return 0;")
    assert line(lab, BPF, "if (!count)") == "    if (!count) return 0;"
    assert marked(lab) == rejected
    lab.run(BPF)
    cell = lab.page.locator(".jp-CodeCell").nth(BPF)
    cell.locator(".jp-InputPrompt", has_text="[3]:").wait_for()
    assert "VerifierRejected" not in cell.inner_text()
    assert marked(lab) == []

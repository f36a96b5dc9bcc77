"""How a notebook and a terminal show the lab's errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output
from traitlets.config import Config

from ebpf_lab.coloured import coloured
from ebpf_lab.errors import CompileError, LabError, Mark, UsageProblem
from ebpf_lab.notebook import error_html, places
from ebpf_lab.notebook.failures import Failures

SOURCE = "int first;\nint second;\nint f(void)\n{\n\tputs(\"<script>alert('&')</script>\");\n}\n"
MARKED = SOURCE.splitlines()[4]


def _error() -> CompileError:
    error = CompileError(
        "broken <b>",
        where=(Mark(2, "int second;", 5, 6, "declared <i>here</i>"), Mark(5, MARKED, 2, 4)),
        why="<why> & so on",
        hint="<img src=x onerror=alert(1)>",
        log="one\n<script>two</script>\n",
    )
    error.source = SOURCE
    return error


class _Text(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_marked_lines_stand_within_the_source() -> None:
    shown = _Text(error_html.body(_error())).text
    assert shown.startswith(
        "  1 │ int first;\n"
        "> 2 │ int second;\n"
        "    │     ^~~~~~ declared <i>here</i>\n"
        "  3 │ int f(void)\n"
        "  4 │ {\n"
        "> 5 │  puts(\"<script>alert('&')</script>\");\n"
        "    │  ^~~~\n"
        "  6 │ }\n"
    )
    assert shown.endswith("the whole log, 2 linesone\n<script>two</script>\n")


def test_lines_left_out_are_shown_as_such() -> None:
    error = _error()
    error.source = "\n".join(f"int line_{number};" for number in range(1, 120))
    error.where = (Mark(3, "int line_3;", 1), Mark(117, "int line_117;", 5, 8))
    shown = _Text(error_html.body(error)).text
    assert re.findall(r"^.*\d+ │", shown, re.M) == [
        "    2 │",
        ">   3 │",
        "    4 │",
        "  116 │",
        "> 117 │",
        "  118 │",
    ]
    assert "     ⋮\n" in shown


@pytest.mark.parametrize("page", [error_html.body, lambda error: error_html.whole(error, None)])
def test_nothing_of_the_source_or_the_log_becomes_markup(page: object) -> None:
    assert callable(page)
    assert _Text(page(_error())).tags <= {"div", "pre", "span", "b", "p", "details", "summary"}


def test_the_options_have_no_number() -> None:
    shown = _Text(error_html.body(UsageProblem("no", where=(Mark(0, "%%bpf -t -5", 10, 2),)))).text
    assert shown == ">   │ %%bpf -t -5\n    │          ^~\n"


def test_of_a_huge_log_the_end_is_kept() -> None:
    error = LabError("no", log="first\n" + "step\n" * 1_000_000 + "last\n")
    shown = error_html.body(error)
    assert len(shown) < 300_000
    assert "first" not in shown
    assert "last\n" in shown
    assert "all 1,000,002 lines of it: _bpf_error.log" in shown


def test_a_mark_without_a_source_shows_its_own_text() -> None:
    shown = _Text(error_html.body(LabError("no", where=(Mark(7, "int x;", note="see"),)))).text
    assert shown == "> 7 │ int x;\n    │ see\n"


def test_in_a_terminal_the_name_the_carets_and_the_labels_stand_out() -> None:
    lines = coloured(_error()).splitlines()
    assert lines[0] == "\x1b[1;31mCompileError\x1b[0m:\x1b[1m broken <b>\x1b[0m"
    assert lines[2] == " " * 15 + "\x1b[1;31m^~~~~~ declared <i>here</i>\x1b[0m"
    assert lines[-3] == "  \x1b[1mwhy\x1b[0m   <why> & so on"


def test_a_terminal_obeys_nothing_of_the_source() -> None:
    shown = coloured(LabError("no \x1b[2J", where=(Mark(1, "int \x1b]0;owned\x07x;", 5),)))
    assert shown.splitlines() == [
        "\x1b[1;31mLabError\x1b[0m:\x1b[1m no �[2J\x1b[0m",
        "  line 1:  int �]0;owned�x;",
        " " * 15 + "\x1b[1;31m^\x1b[0m",
    ]


class _Shell:
    """An IPython shell with the lab's errors; as in a notebook, if it is one."""

    def __init__(self, *, notebook: bool) -> None:
        InteractiveShell.clear_instance()
        config = Config({"HistoryManager": {"enabled": False}})  # its thread would outlive the test
        self.shell = InteractiveShell.instance(colors="nocolor", config=config)
        self.failures = Failures(self.shell)
        self.shell.user_ns |= {"fail": _fail, "explain": self.failures.explain}
        if notebook:
            self.shell.kernel = object()  # type: ignore[attr-defined]

    def run(self, cell: str) -> CapturedIO:
        with capture_output() as captured:
            self.result = self.shell.run_cell(cell)
        return captured


def _fail() -> None:
    raise _error()


@pytest.fixture
def notebook() -> Iterator[_Shell]:
    yield _Shell(notebook=True)
    InteractiveShell.clear_instance()


@pytest.fixture
def terminal() -> Iterator[_Shell]:
    yield _Shell(notebook=False)
    InteractiveShell.clear_instance()


def test_a_notebook_shows_the_first_line_as_error_and_the_rest_in_html_and_text(notebook: _Shell) -> None:
    captured = notebook.run("fail()")
    assert isinstance(notebook.result.error_in_exec, CompileError)
    assert captured.stdout == "CompileError: broken <b>\n"
    (output,) = captured.outputs
    assert output.data["text/html"] == error_html.body(_error())
    assert f"CompileError: broken <b>\n{output.data['text/plain']}" == _error().block()
    assert output.metadata == places.of_error(_error())


def test_a_terminal_shows_it_all_as_text(terminal: _Shell) -> None:
    captured = terminal.run("fail()")
    assert captured.stdout == _error().block() + "\n"
    assert captured.outputs == []


def test_python_s_traceback_is_shown_where_it_is_wanted(
    notebook: _Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EBPF_LAB_TRACEBACK", "1")
    captured = notebook.run("fail()")
    assert "Traceback (most recent call last)" in captured.stdout
    assert captured.outputs == []


def test_other_errors_are_shown_as_ever(notebook: _Shell) -> None:
    captured = notebook.run("1 / 0")
    assert "ZeroDivisionError: division by zero" in captured.stdout
    assert captured.outputs == []


def test_another_handler_of_errors_keeps_its_own() -> None:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    seen: list[BaseException] = []
    shell.set_custom_exc((KeyError,), lambda self, kind, error, trace, tb_offset=None: seen.append(error))
    Failures(shell)
    with capture_output():
        shell.run_cell("{}['missing']")
    InteractiveShell.clear_instance()
    assert [str(error) for error in seen] == ["'missing'"]


def test_explain_shows_the_last_failure_also_after_cells_that_worked(notebook: _Shell) -> None:
    notebook.run("fail()")
    notebook.run("1 + 1")
    (output,) = notebook.run("explain()").outputs
    shown = _Text(output.data["text/html"]).text
    assert shown.startswith("CompileError: broken <b>")
    assert "<script>two</script>" in shown
    assert output.data["text/plain"] == f"{_error().block()}\n\none\n<script>two</script>"
    assert notebook.shell.user_ns["_bpf_error"].log == _error().log


def test_explain_shows_the_way_to_the_failure(notebook: _Shell) -> None:
    notebook.shell.user_ns["fail_with_path"] = _fail_with_path
    notebook.run("fail_with_path()")
    (output,) = notebook.run("explain()").outputs
    assert "the way there, 2 steps" in output.data["text/html"]
    assert "r0 &lt;&lt;= 2" in output.data["text/html"]
    assert "r0 <<= 2" in output.data["text/plain"]


def _fail_with_path() -> None:
    import pandas as pd

    error = _error()
    error.path = pd.DataFrame({"line": [2, 5], "code": ["r0 = 1", "r0 <<= 2"]})  # type: ignore[attr-defined]
    raise error


def test_explain_says_that_nothing_has_failed(notebook: _Shell) -> None:
    with pytest.raises(UsageProblem, match="nothing has failed yet"):
        notebook.failures.explain()


def test_a_mistyped_verb_does_not_hide_the_failure(notebook: _Shell) -> None:
    notebook.shell.user_ns["mistype"] = _mistype
    notebook.run("fail()")
    notebook.run("mistype()")
    (output,) = notebook.run("explain()").outputs
    assert output.data["text/plain"].startswith("CompileError: broken <b>")


def _mistype() -> None:
    raise UsageProblem("%bpf explian: there is no such verb")

"""What clang said, in the learner's lines: recorded logs, and logs of every other shape."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ebpf_lab.diagnose.clang import compile_error, parse, warnings
from ebpf_lab.errors import Mark

CASES = Path(__file__).parent.parent / "data" / "clang"
LOGS = sorted(CASES.glob("*.log"))
FILES = ("cell.c", "./cell.c")


def test_there_are_recorded_logs() -> None:
    assert len(LOGS) == len(list(CASES.glob("*.c"))) > 10


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.name)
def test_recorded_log(log: Path) -> None:
    name = log.name.partition(".")[0]
    error = compile_error(
        log.read_text(), (CASES / f"{name}.c").read_text(), files=FILES, reason="it has SEC()"
    )
    assert error.block() + "\n" == (CASES / f"{name}.txt").read_text()
    assert error.log == log.read_text()


def test_a_message_has_its_place_its_underline_and_its_notes() -> None:
    log = (CASES / "missing_brace.clang-14.log").read_text()
    (error,) = parse(log)
    assert (error.file, error.line, error.column, error.severity) == ("cell.c", 7, 2, "error")
    assert [(note.line, note.column, note.text) for note in error.notes] == [(3, 1, "to match this '{'")]
    (_, missing) = parse((CASES / "unknown_function.clang-14.log").read_text())
    assert missing.text == "implicit declaration of function 'bpf_get_current_pid' is invalid in C99"


def test_a_newer_clang_draws_line_numbers_beside_the_source() -> None:
    log = (
        "cell.c:2:14: error: use of undeclared identifier 'nothing'\n"
        "    2 |     return 1+nothing(2);\n"
        "      |              ^~~~~~~~~~\n"
        "1 error generated.\n"
    )
    (error,) = parse(log)
    assert (error.column, error.length) == (14, 10)


def test_the_code_generators_own_form() -> None:
    text = "\nint f(void *ctx)\n{\n    return 0;\n}\n"
    what = "unsupported signed division, please convert to unsigned div/mod."
    log = f"error: cell.c:4:5: in function f i32 (ptr): {what}\n"
    error = compile_error(log, text, files=FILES)
    assert error.what == what
    assert [(mark.line, mark.column) for mark in error.where] == [(4, 5)]
    assert error.hint.startswith("make both sides unsigned")
    nowhere = compile_error("error: <unknown>:0:0: in function f i32 (ptr): too deep\n", text, files=FILES)
    assert (nowhere.what, nowhere.where) == ("too deep", ())


def test_an_error_in_a_header_is_marked_where_the_text_includes_it() -> None:
    log = (
        "In file included from cell.c:3:\n"
        "In file included from ./outer.h:1:\n"
        "./inner.h:7:1: error: unknown type name 'nothing'\n"
        "nothing x;\n"
        "^\n"
    )
    error = compile_error(log, '\n\n#include "outer.h"\n', files=FILES)
    assert error.what == "./inner.h:7: unknown type name 'nothing'"
    assert [(mark.line, mark.text, mark.column) for mark in error.where] == [(3, '#include "outer.h"', 0)]


def test_columns_count_characters() -> None:
    text = "\tint wörter = nothing;"
    log = f"cell.c:1:{len(text[: text.index('nothing')].encode()) + 1}: error: use of undeclared identifier\n"
    (mark,) = compile_error(log, text, files=FILES).where
    assert text[mark.column - 1 :][: mark.length] == "nothing"


def test_warnings_of_the_text_are_marked() -> None:
    text = "int f(void)\n{\n    /* é */ if (x = 7) g();\n}\n"
    log = """cell.c:3:20: warning: using the result of an assignment as a condition [-Wparentheses]
    /* é */ if (x = 7) g();
                ~~^~~
cell.c:3:20: note: place parentheses around the assignment to silence this warning
cell.c:3:20: warning: the same place once more [-Wextra]
vmlinux.h:9:1: warning: not the learner's [-Wall]
cell.c:4:1: error: not a warning
2 warnings generated.
"""
    (mark,) = warnings(log, text, ["cell.c"])
    assert mark == Mark(
        3, text.splitlines()[2], 19, 3, "using the result of an assignment as a condition", "warning"
    )
    assert compile_error(log, text, files=["cell.c"]).warnings == (mark,)
    many = "".join(f"cell.c:{line}:1: warning: no\n" for line in range(1, 40))
    assert len(warnings(many, text, ["cell.c"])) == 10


def test_words_of_bcc_are_only_explained_in_a_libbpf_text() -> None:
    text, log = "BPF_HASH(counts);\n", "cell.c:1:10: error: a parameter list without types\n"
    assert compile_error(log, text, files=FILES, dialect="bcc").why == ""
    why = compile_error(log, text, files=FILES, reason="it has SEC()").why
    assert why == "BPF_HASH is bcc's; this text was taken for libbpf: it has SEC()"


def test_when_clang_names_no_error() -> None:
    assert "without naming an error" in compile_error("", "int x;", files=FILES).what
    assert compile_error("clang: error: unable to execute", "", files=FILES).what == "unable to execute"


_LINES = st.sampled_from(
    [
        "cell.c:3:5: error: expected ';'",
        "cell.c:999999999999999999999999:1: error: far away",
        "cell.c:0:0: fatal error: nowhere",
        "cell.c:2:400: note: something",
        "note: cell.c:1:1: error:",
        "error: in function f i32 (ptr): broken",
        "Error at line 9: Unsupport signed division for DAG: x, cell.c:4:28Please convert",
        "In file included from cell.c:77:",
        "      |  ~~~^~~~",
        "^",
        "\x00\x1b[31m\ud7ff: error: :1:1: error: \xff",
    ]
)


@given(st.lists(_LINES | st.text(max_size=80), max_size=40), st.text(max_size=200))
@example(["cell.c:3:5: error: x", "^" + "~" * 100], "ü\n" * 5)
def test_no_log_is_too_strange(lines: list[str], text: str) -> None:
    log = "\n".join(lines)
    error = compile_error(log, text, files=FILES, reason="it has SEC()")
    assert error.block()
    assert error.log == log


@pytest.mark.parametrize(
    ("line", "where", "why", "fix"),
    [
        ("    int a = 1", 14, "a statement, and a declaration, ends with ;", "int a = 1;"),
        ("    int a = 1 // one", 14, "a statement, and a declaration, ends with ;", "int a = 1;"),
        (
            "    struct a b = {};",
            15,
            "a struct's members are given no values: is a struct above not closed with };",
            "",
        ),
        ("    int *a, *b* *c;", 16, "", ""),
        ("int f(void)\n{", 12, "", ""),
    ],
)
def test_a_semicolon_is_added_only_where_it_is_what_is_missing(
    line: str, where: int, why: str, fix: str
) -> None:
    log = f"cell.c:1:{where}: error: expected ';' at end of declaration list\n"
    error = compile_error(log, f"{line}\n", files=FILES)
    assert (error.why, error.hint) == (why, fix)

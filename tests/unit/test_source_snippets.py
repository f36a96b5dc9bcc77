"""Headers of snippets, and what they expect of a frame."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.errors import UsageProblem
from ebpf_lab.source import snippets
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.expect import Comparison, Expectation, parse_expectations
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.rejection import Rejection, Words
from ebpf_lab.source.spec import Dialect

HEADER = """\
// SPDX-License-Identifier: GPL-2.0
// title:    Count execs by command
// teaches:  hash map,
//           null check
// attach:   tracepoint:sched:sched_process_exec, f=uprobe:libc:printf
//           g=kprobe:sys_clone
// needs:    tracepoint, btf
// workload: for i in $(seq 23); do
//             /bin/true; done
// emits:    comm str | count u64
// expect:   count == 23 where comm == "true"
//           rows > 0
// limits:   misses fork() without exec()
"""
BODY = "// Here the program begins: not a key.\nint f(void *ctx) { return 0; }\n"


def test_a_whole_header() -> None:
    snippet = snippets.parse(HEADER + BODY, "execs")
    assert snippet.name == "execs"
    assert snippet.text == HEADER + BODY
    assert snippet.license == "GPL-2.0"
    assert (snippet.title, snippet.teaches) == ("Count execs by command", "hash map, null check")
    assert snippet.attach == {"f": "uprobe:libc:printf", "g": "kprobe:sys_clone"}
    assert snippet.probes[0] == Probe("tracepoint", "sched_process_exec", group="sched")
    assert snippet.needs == ("tracepoint", "btf")
    assert snippet.workload == "for i in $(seq 23); do /bin/true; done"
    assert snippet.emits == (snippets.Column("comm", "str"), snippets.Column("count", "u64"))
    assert [str(clause) for clause in snippet.expect] == ['count == 23 where comm == "true"', "rows > 0"]
    assert (snippet.limits, snippet.backend, snippet.source) == ("misses fork() without exec()", None, "")


def test_optional_keys() -> None:
    snippet = snippets.parse(HEADER + "// backend: bcc\n// from: counts\n" + BODY)
    assert (snippet.backend, snippet.source) == (Dialect.BCC, "counts")
    assert not snippet.whole_system
    assert snippets.parse(HEADER + "// scope: system\n" + BODY).whole_system


def test_a_program_to_be_rejected() -> None:
    lines = [
        line for line in HEADER.splitlines() if not line.startswith(("// work", "// emits", "// expect"))
    ]
    text = (
        "\n".join(lines)
        .replace("//             /bin/true; done\n", "")
        .replace("//           rows > 0\n", "")
    )
    text += "\n// expect-reject: invalid mem access\n//   6.1: no access\n"
    body = BODY.replace("return 0; }", "return 1;  // <- rejected here\n}")
    snippet = snippets.parse(text + body)
    assert snippet.rejection == Rejection((Words("invalid mem access"), Words("no access", "6.1")), 12)
    assert (snippet.expect, snippet.workload) == ((), "")
    assert snippet.fixed.startswith("#define FIXED\n// SPDX")
    with pytest.raises(UsageProblem, match="x: 0 lines are marked as rejected") as caught:
        snippets.parse(text + BODY, "x")
    assert "expect-reject" in caught.value.where[0].text


@pytest.mark.parametrize("key", snippets.REQUIRED)
def test_every_required_key_is_missed(key: str) -> None:
    lines = HEADER.replace("\n//    ", " ").splitlines()
    text = "\n".join(line for line in lines if not line.startswith(f"// {key}:"))
    with pytest.raises(UsageProblem, match=f"x: the header has no {key}"):
        snippets.parse(f"{text}\n{BODY}", "x")


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("// SPDX", "// spdx", 1, "names no licence"),
        ("// title:    ", "// titel:    ", 2, "did you mean title?"),
        ("// limits:", "// title:", 13, "title is given twice"),
        ("kprobe:sys_clone", "kprob:sys_clone", 5, "did you mean kprobe?"),
        ("comm str |", "comm |", 10, "'comm' is no column"),
        ("== 23", "23", 11, "one of == != < <= > >= contains stands here"),
        ("misses fork() without exec()", "", 13, "the header has no limits"),
        ("// limits:", "// scope: all\n// limits:", 13, "no scope 'all'"),
        ("// limits:", "// backend: gcc\n// limits:", 13, "no backend 'gcc'"),
    ],
)
def test_wrong_headers(old: str, new: str, line: int, words: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        snippets.parse(HEADER.replace(old, new, 1) + BODY, "x")
    assert words in str(caught.value)
    assert caught.value.what.startswith("x: ")
    assert [mark.line for mark in caught.value.where] == [line]


def test_shipped_snippets_are_sound() -> None:
    for name in snippets.names():
        snippet = snippets.load(name)
        assert snippet.emits, name
        assert snippet.expect, name
        spec = analyse(snippet.text, attach=snippet.attach)
        assert {program.probe and str(program.probe).replace(".s:", ":") for program in spec.programs} == {
            str(probe) for probe in snippet.probes
        }, name


def test_names_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rejected").mkdir()
    for name in ("a.bcc", "a.libbpf", "b", "rejected/c"):
        (tmp_path / f"{name}.c").write_text(HEADER + BODY)
    (tmp_path / "secret.txt").write_text("")
    monkeypatch.setattr(snippets, "directory", lambda: tmp_path)
    assert snippets.names() == ["a.bcc", "a.libbpf", "b"]
    assert snippets.names("rejected") == ["rejected/c"]
    assert snippets.load("rejected/c").name == "rejected/c"
    assert snippets.load("b.c").name == "b"
    assert snippets.folders() == ["", "rejected"]
    # Without its dialect: the first that can be used, libbpf before bcc, and libbpf where none can.
    assert snippets.load("a").name == "a.libbpf"
    assert snippets.load("a", lambda each: each.name == "a.bcc").name == "a.bcc"
    assert snippets.load("a", lambda each: False).name == "a.libbpf"
    with pytest.raises(UsageProblem) as caught:
        snippets.load("aa")
    assert caught.value.hint == "did you mean a?"
    with pytest.raises(UsageProblem, match="no snippet nothing/b"):
        snippets.load("nothing/b")
    with pytest.raises(UsageProblem, match="no snippet"):
        snippets.load("rejected/../b")
    with pytest.raises(UsageProblem, match="there are no snippets in"):
        snippets.names("nowhere")


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", ()),
        ("rows == 23", (Expectation("rows", "", "==", 23),)),
        (
            'rows >= 0x17 where comm == "a \\"b\\" \\\\ ; \\n" and pid > -1',
            (
                Expectation(
                    "rows",
                    "",
                    ">=",
                    23,
                    (Comparison("comm", "==", 'a "b" \\ ; \n'), Comparison("pid", ">", -1)),
                ),
            ),
        ),
        ('any filename contains "/etc"', (Expectation("any", "filename", "contains", "/etc"),)),
        (
            "sum count < 1.5; a.b != 2\nrows > 0;",
            (
                Expectation("sum", "count", "<", 1.5),
                Expectation("every", "a.b", "!=", 2),
                Expectation("rows", "", ">", 0),
            ),
        ),
    ],
)
def test_clauses(text: str, clauses: tuple[Expectation, ...]) -> None:
    assert parse_expectations(text) == clauses


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("== 2", 1),
        ("rows 2", 6),
        ("rows ==", 8),
        ("rows == x", 9),
        ("rows == 1 or", 11),
        ("any == 1", 5),
        ("rows == 1 where", 16),
        ('comm == "open', 9),
        ("a == 1 and b == 2", 8),
        ("a == __import__", 6),
    ],
)
def test_no_clauses(text: str, column: int) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_expectations(text)
    assert [mark.column for mark in caught.value.where] == [column]


ROWS: list[dict[str, object]] = [
    {"comm": "true", "count": 20, "ret": None},
    {"comm": "true", "count": 3, "ret": 0},
    {"comm": "sh", "count": 7, "ret": -2},
]


@pytest.mark.parametrize(
    "text",
    [
        'rows == 2 where comm == "true"',
        'rows == 0 where comm == "cat"',
        'count > 2 where comm == "true"',
        "any count == 3",
        'sum count == 23 where comm == "true"',
        'comm contains "s" where count == 7',
        "rows == 2 where ret <= 0",
        "rows == 3 where comm != 5",
    ],
)
def test_expectations_that_hold(text: str) -> None:
    (clause,) = parse_expectations(text)
    assert clause.failure(ROWS) == ""


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ('rows == 3 where comm == "true"', 'rows == 3 where comm == "true": there are 2 (2 of 3 rows count)'),
        ("count == 20", "count == 20: it is 3 in 2 rows (3 of 3 rows count)"),
        (
            'count == 20 where comm == "cat"',
            'count == 20 where comm == "cat": there is no such row (0 of 3 rows count)',
        ),
        ('any comm == "cat"', 'any comm == "cat": in no row (3 of 3 rows count)'),
        ("sum count == 31", "sum count == 31: it is 30 (3 of 3 rows count)"),
        ("pid == 1", "pid == 1: there is no column pid, but comm, count, ret"),
        (
            "rows == 1 where pid == 1",
            "rows == 1 where pid == 1: there is no column pid, but comm, count, ret",
        ),
        ('count < "x"', 'count < "x": it is 20 in 3 rows (3 of 3 rows count)'),
    ],
)
def test_expectations_that_fail(text: str, failure: str) -> None:
    (clause,) = parse_expectations(text)
    assert clause.failure(ROWS) == failure


@given(st.text(alphabet=st.sampled_from('rows any ==<>"\\;where and count 0x1.5-\n')) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        clauses = parse_expectations(text)
    except UsageProblem:
        return
    for clause in clauses:
        clause.failure(ROWS)


@given(st.text())
def test_any_file_is_read_or_refused(text: str) -> None:
    for start in ("", "// SPDX-License-Identifier: MIT\n// title: ", HEADER):
        try:
            snippets.parse(start + text)
        except UsageProblem as problem:
            shown = str(problem)
            assert "snippet: " in shown

"""What the verifier said, in the learner's lines: logs of three kernels, and logs of every other shape."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ebpf_lab.diagnose.rules import of_rejection
from ebpf_lab.diagnose.verifier import Place, is_complete, parse, rejected, with_walk

CASES = Path(__file__).parent.parent / "data" / "verifier"
LOGS = sorted(CASES.glob("*.log"))


def header(text: str, key: str) -> str:
    match = re.search(rf"^// {key}: +(.*)$", text, re.MULTILINE)
    return match[1] if match else ""


def test_there_are_logs_of_three_kernels() -> None:
    cases = len(list(CASES.glob("*.c")))
    assert cases > 20
    for kernel in ("6.1", "6.12", "6.18"):
        assert len(list(CASES.glob(f"*.{kernel}.log"))) == cases


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_recorded_log(path: Path) -> None:
    name, _, kernel = path.stem.partition(".")
    text, log = (CASES / f"{name}.c").read_text(), path.read_text()
    error = rejected(log, function="program", text=text, files=("cell.c",))
    assert re.fullmatch(f"program: ({header(text, 'reject')})", error.what)
    assert error.hint == header(text, "fix")
    assert error.why
    assert error.log == log
    assert is_complete(log)
    # 6.1's log has only the text of a C line, which may stand in a program twice; a walk of a million
    # instructions does not fit, and without it there is no line at all.
    if (kernel, name) != ("6.1", "long_loop"):
        assert error.where[-1].line == int(header(text, "line"))


WALK = """\
func#0 @0
0: R1=ctx() R10=fp0
; u64 *count = bpf_map_lookup_elem(&counts, &pid); @ cell.c:3
0: (85) call bpf_map_lookup_elem#1    ; R0=map_value_or_null(id=1,map=counts,ks=4,vs=8)
;  @ cell.c:0
1: (bf) r6 = r0
; int x = PT_REGS_RC(ctx); @ bpf_tracing.h:12
2: (79) r1 = *(u64 *)(r6 +0)
R6 invalid mem access 'map_value_or_null'
processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
TEXT = """\
int f(void *ctx)
{
    u64 *count = bpf_map_lookup_elem(&counts, &pid);
    int x; *count += 1; return 0;
}
"""


def test_lines_of_headers_and_of_the_compiler_are_passed_over() -> None:
    found = parse(WALK, ("cell.c",))
    assert (found.error, found.instruction, found.line) == ("R6 invalid mem access 'map_value_or_null'", 2, 3)
    assert parse(WALK).line == 12


def test_line_records_give_the_statement() -> None:
    log = WALK.replace("bpf_tracing.h:12", "cell.c:4").replace("int x = PT_REGS_RC(ctx);", "*count += 1;")
    places = [Place(0, 3, 10, "    u64 *count = …"), Place(2, 4, 19, "    int x; *count += 1; return 0;")]
    error = rejected(log, function="f", text=TEXT, files=("cell.c",), places=places)
    (mark,) = error.where
    assert mark.text[mark.column - 1 :][: mark.length] == "*count += 1"
    assert error.hint == "if (!count) return 0;"


def test_line_records_give_the_line_where_the_log_has_only_its_text() -> None:
    text = "a();\nsame();\nb();\nsame();\n"
    log = "; same();\n5: (79) r1 = *(u64 *)(r0 +0)\nR0 invalid mem access 'scalar'\nprocessed 3 insns\n"
    places = [Place(1, 2, 1, "same();"), Place(4, 4, 1, "same();")]
    assert rejected(log, function="f", text=text, places=places).where[0].line == 4
    # In a called function the numbers are not known: the text alone decides, if it can.
    unplaced = [Place(-1, 2, 1, "same();"), Place(-1, 4, 1, "same();")]
    assert rejected(log, function="f", text=text, places=unplaced).where[0].line == 2
    assert rejected(log, function="f", text=text).where == ()
    assert rejected(log, function="f", text="b();\nsame();\n").where[0].line == 2


def test_a_log_without_a_walk_names_an_instruction() -> None:
    log = "unreachable insn 7\nprocessed 0 insns (limit 1000000)\n"
    error = rejected(
        log, function="f", text="one\ntwo\n", places=[Place(0, 1, 1, "one"), Place(6, 2, 1, "two")]
    )
    assert (error.what, error.where[0].line) == ("f: unreachable insn 7", 2)


WALK_TO_THE_BRACE = """\
; if (pid == 1) @ cell.c:2
3: (55) if r0 != 0x1 goto pc+2        ; R0=1 refs=2
; submit(event); @ cell.c:4
4: (bf) r1 = r6                       ; R1=ringbuf_mem() refs=2
5: (85) call bpf_ringbuf_submit#132   ;
; } @ cell.c:6
6: (b4) w0 = 0                        ; R0=0
7: (95) exit
"""
LEFT = "from 3 to 6: R0=scalar() R6=ringbuf_mem() refs=2\n6: (b4) w0 = 0      ; R0=0 refs=2\n7: (95) exit\n"
LEAK = "Unreleased reference id=2 alloc_insn=1\nprocessed 9 insns (limit 1000000)\n"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (f"{WALK_TO_THE_BRACE}\n{LEFT}{LEAK}", 2),
        (f"{WALK_TO_THE_BRACE}\n{LEFT}{LEAK}".replace("; } @", "; int BPF_KPROBE(f, int fd) @"), 2),
        # Straight to the brace, past a jump that is none of its business.
        (f"{LEFT.replace('3 to 6', '1 to 2')}{WALK_TO_THE_BRACE}{LEAK}", 6),
        (f"; return 0; @ cell.c:3\n3: (05) goto pc+2\n; }} @ cell.c:6\n6: (95) exit\n{LEAK}", 3),
        (f"; }} @ cell.c:6\n6: (95) exit\n{LEAK}", 6),
        (f"; }} @ cell.c:6\n\nfrom 3 to 6: R0=1\n6: (95) exit\n{LEAK}", 6),
    ],
)
def test_the_line_that_left_for_the_end_of_all_paths(log: str, line: int) -> None:
    assert parse(log, ("cell.c",)).line == line


def test_what_is_counted_after_the_walk_is_about_the_whole_program() -> None:
    log = f"{WALK_TO_THE_BRACE}combined stack size of 2 calls is 640. Too large\nprocessed 9 insns\n"
    error = rejected(log, function="f", text="a\nint f(void *ctx)\n", files=("cell.c",), definition=2)
    assert [(mark.line, mark.text) for mark in error.where] == [(2, "int f(void *ctx)")]


def test_the_beginning_of_a_walk_that_did_not_fit() -> None:
    end = "BPF program is too large. Processed 1000001 insn\nprocessed 1000001 insns (limit 1000000)\n"
    beginning = (
        "; for (;;) @ cell.c:3\n1: (07) r1 += 1\n; sum += i; @ cell.c:4\n2: (0f) r2 += r1\n3: (05) got"
    )
    assert parse(with_walk(end, beginning)).line == 3
    # What a walk's beginning leads to says nothing of an error at its end.
    other = "R1 invalid mem access 'scalar'\nprocessed 99 insns\n"
    assert with_walk(other, beginning) == other


def test_no_log_at_all() -> None:
    error = rejected("", function="f", text="", otherwise="Invalid argument")
    assert (error.what, error.where, error.log) == ("f: Invalid argument", (), "")


def test_the_null_check_names_the_variable_of_the_line() -> None:
    text = "a = bpf_map_lookup_elem(&m, &k);\nstruct e *b = (struct e *)bpf_ringbuf_reserve(&r, 8, 0);\n"
    cause = of_rejection("R6 invalid mem access 'ringbuf_mem_or_null'", text, "b->x = 1;")
    assert cause.hint == "if (!b) return 0;"
    assert "bpf_ringbuf_reserve" in cause.why
    # Handed to a helper.
    assert of_rejection("R1 type=map_value_or_null expected=fp", text, "f(a);").hint == "if (!a) return 0;"
    assert of_rejection("R6 invalid mem access 'mem_or_null'", text, "c->x = 1;").hint == ""


def test_the_words_of_newer_kernels() -> None:
    # Linux 7.2.
    error = "sleepable helper bpf_copy_from_user#148 in non-sleepable prog"
    assert of_rejection(error, "", "").hint == 'a sleepable section, such as SEC("uprobe.s")'


def test_an_unknown_rejection_keeps_the_kernels_words_alone() -> None:
    error = rejected("0: (95) exit\nsomething new\nprocessed 1 insns\n", function="f", text="")
    assert (error.what, error.why, error.hint) == ("f: something new", "", "")


def test_a_huge_log_is_read_from_its_end() -> None:
    log = "1: (05) goto pc-2\n" * 400_000 + "something\nprocessed 9 insns\n"
    start = time.perf_counter()
    assert parse(log).error == "something"
    assert time.perf_counter() - start < 5


_LINES = st.sampled_from(
    [
        *WALK.splitlines(),
        "; text @ cell.c:99999999999999999999",
        "99999999999999999999: (95) exit",
        "infinite loop detected at insn 99999999999999999999",
        "BPF program is too large. Processed 1000001 insn",
        "Unreleased reference id=2 alloc_insn=99",
        "from 5 to 11: R0=0",
        "R0 !read_ok",
        ";",
        "; ",
        "processed insns",
        "\x00\xff\ud7ff",
    ]
)
_PLACES = st.builds(
    Place, st.integers(-1, 20), st.integers(1, 9), st.integers(0, 60), st.text("ab; ", max_size=9)
)


@given(
    st.lists(_LINES | st.text(max_size=60), max_size=40), st.text(max_size=200), st.lists(_PLACES, max_size=5)
)
@example(WALK.splitlines(), TEXT, [])
def test_no_log_is_too_strange(lines: list[str], text: str, places: list[Place]) -> None:
    log = "\n".join(lines)
    error = rejected(log, function="f", text=text, files=("cell.c",), places=places)
    assert error.block()
    assert error.log == log


@given(st.integers(0, len(WALK)))
def test_a_log_may_end_anywhere(end: int) -> None:
    assert rejected(WALK[:end], function="f", text=TEXT, files=("cell.c",)).what.startswith("f: ")

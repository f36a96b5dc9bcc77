"""What the verifier said, in the learner's lines: logs of three kernels, and logs of every other shape."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ebpf_lab.diagnose.rules import RULES, rule_of
from ebpf_lab.diagnose.verifier import Place, is_complete, rejected, with_walk
from ebpf_lab.diagnose.verifier_log import read
from ebpf_lab.errors import VerifierRejected

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
# The form is that of kernel/bpf/diagnostics.c (Linux commit ce7c9f6c599b, in v7.3).
PLAIN_REPORT = """\
0: R1=ctx() R10=fp0
0: (95) exit
R0 !read_ok

Verification failed: Register Type Safety: Unreadable register

Reason:
  R0 has never been initialized on this path, so the verifier cannot use it as an input.

At:
  insn 0
        | ^-- error: R0 is not readable
  Instruction context:
  >>> 0 | (95) exit

Causal path:
  no retained diagnostic events on this path

Suggestion:
  Initialize R0 on every path before this instruction.

processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
REPORT = """\
; u64 *count = bpf_map_lookup_elem(&counts, &pid); @ cell.c:3
0: (85) call bpf_map_lookup_elem#1    ; R0=map_value_or_null(id=1,map=counts,ks=4,vs=8)
; *count += 1; @ cell.c:4
1: (79) r1 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'

Verification failed: Register Type Safety: Invalid dereference

Reason:
  R0 may be NULL here (a nullable map value pointer). The program could dereference NULL on this
  path, so the verifier cannot prove this access is safe.

At:
  f @ cell.c:4:12
  Source context:
        3 |     u64 *count = bpf_map_lookup_elem(&counts, &pid);
    >>> 4 |     int x; *count += 1; return 0;
          |     ^-- error: invalid dereference of R0 (a nullable map value pointer)
  Instruction context:
      0 | (85) call bpf_map_lookup_elem#1
  >>> 1 | (79) r1 = *(u64 *)(r0 +0)

Causal path:
  f @ cell.c:3:10
  Source context:
    >>> 3 |     u64 *count = bpf_map_lookup_elem(&counts, &pid);
          |     ^-- value: R0 changed from an uninitialized value to a nullable map value pointer by a
          |         helper call
        4 |     int x; *count += 1; return 0;
  Instruction context:
  >>> 0 | (85) call bpf_map_lookup_elem#1

Suggestion:
  Add a NULL check before the access and dereference the pointer only on the non-NULL path.

processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
TEXT = """\
int f(void *ctx)
{
    u64 *count = bpf_map_lookup_elem(&counts, &pid);
    int x; *count += 1; return 0;
}
"""


def test_lines_of_headers_and_of_the_compiler_are_passed_over() -> None:
    found = read(WALK, ("cell.c",))
    assert found.error == "R6 invalid mem access 'map_value_or_null'"
    step = found.steps[-1]
    assert step.comment is not None
    assert (step.instruction, step.code, step.comment.line) == (2, "r1 = *(u64 *)(r6 +0)", 3)
    comment = read(WALK).steps[-1].comment
    assert comment is not None
    assert comment.line == 12


def test_a_state_that_follows_in_the_same_line() -> None:
    # So logs of level 1 have it where the walk goes on elsewhere.
    said = "10: (a5) if r2 < 0x10 goto pc+1 12: R2=scalar(umax=15,var_off=(0x0; 0xf)) R6=fp-16"
    branch, after = read(f"9: (79) r2 = *(u64 *)(r7 +32) ; R2=scalar()\n{said}\n12: (bf) r1 = r6\n").steps[1:]
    assert (branch.code, branch.after) == ("if r2 < 0x10 goto pc+1", "")
    assert after.before == "R2=scalar(umax=15,var_off=(0x0; 0xf)) R6=fp-16"


def test_line_records_give_the_statement() -> None:
    log = WALK.replace("bpf_tracing.h:12", "cell.c:4").replace("int x = PT_REGS_RC(ctx);", "*count += 1;")
    places = [Place(0, 3, 10, "    u64 *count = …"), Place(2, 4, 19, "    int x; *count += 1; return 0;")]
    error = rejected(log, function="f", text=TEXT, files=("cell.c",), places=places)
    born, mark = error.where
    assert born.text[born.column - 1 :][: born.length] == "bpf_map_lookup_elem(&counts, &pid)"
    assert mark.text[mark.column - 1 :][: mark.length] == "*count"
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
    end = "int BPF_KPROBE(f, int fd)" if "BPF_KPROBE" in log else "}"
    text = f"int f(void *ctx)\nif (pid == 1)\nreturn 0;\nsubmit(event);\n\n{end}\n"
    assert rejected(log, function="f", text=text, files=("cell.c",)).where[-1].line == line


def test_what_is_counted_after_the_walk_is_about_the_whole_program() -> None:
    log = f"{WALK_TO_THE_BRACE}combined stack size of 2 calls is 640. Too large\nprocessed 9 insns\n"
    error = rejected(log, function="f", text="a\nint f(void *ctx)\n", files=("cell.c",), definition=2)
    assert [(mark.line, mark.text) for mark in error.where] == [(2, "int f(void *ctx)")]


def test_the_beginning_of_a_walk_that_did_not_fit() -> None:
    end = "BPF program is too large. Processed 1000001 insn\nprocessed 1000001 insns (limit 1000000)\n"
    beginning = (
        "; for (;;) @ cell.c:3\n1: (07) r1 += 1\n; sum += i; @ cell.c:4\n2: (0f) r2 += r1\n3: (05) got"
    )
    text = "u64 sum;\nint f(void *ctx) {\nfor (;;)\nsum += i;\n}\n"
    error = rejected(with_walk(end, beginning), function="f", text=text, files=("cell.c",), definition=2)
    assert (error.where[-1].line, error.rule) == (3, "too many instructions")
    # What a walk's beginning leads to says nothing of an error at its end.
    other = "R1 invalid mem access 'scalar'\nprocessed 99 insns\n"
    assert with_walk(other, beginning) == other


def test_no_log_at_all() -> None:
    error = rejected("", function="f", text="", otherwise="Invalid argument")
    assert (error.what, error.where, error.log) == ("f: Invalid argument", (), "")


def test_the_null_check_names_the_variable_of_the_line() -> None:
    error = rejected(WALK.replace("bpf_tracing.h:12", "cell.c:4"), function="f", text=TEXT, files=("cell.c",))
    assert (error.rule, error.hint) == ("null check", "if (!count) return 0;")
    assert error.why == "bpf_map_lookup_elem can return NULL, and this path never checked"
    other = TEXT.replace("*count += 1", "*other += 1")
    assert rejected(WALK.replace("bpf_tracing.h:12", "cell.c:4"), function="f", text=other).hint == ""


def test_a_function_without_a_result_is_left_without_one() -> None:
    text = TEXT.replace("int f(", "void f(")
    error = rejected(WALK.replace("bpf_tracing.h:12", "cell.c:4"), function="f", text=text)
    assert error.hint == "if (!count) return;"


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        ("sleepable helper bpf_copy_from_user#148 in non-sleepable prog", "may sleep"),
        ("R1 type=map_value_or_null expected=fp", "null check"),
        ("math between pkt pointer and 4294967295 is not allowed", "packet bounds"),
        ("invalid indirect read from stack R2 off -8+4 size 8", "stack unset"),
        ("invalid variable-offset write to stack R1 var_off=(0x0; 0xff) off=-16 size=1", "stack bounds"),
        ("R0 leaks addr as return value", "pointer leak"),
        ("unreachable insn 7", "dead code"),
        ("misaligned packet access off 0+0+1 size 4", "misaligned"),
        ("something else", ""),
    ],
)
def test_the_words_of_rules(error: str, rule: str) -> None:
    found = rule_of(error)
    assert (found.name if found else "") == rule


def test_every_rule_has_a_sentence() -> None:
    assert all(rule.name and rule.why and not rule.why.endswith(".") for rule in RULES)


def test_an_unknown_rejection_keeps_the_kernels_words_alone() -> None:
    error = rejected("0: (95) exit\nsomething new\nprocessed 1 insns\n", function="f", text="")
    assert (error.what, error.why, error.hint) == ("f: something new", "", "")


def test_a_huge_log_is_read_from_its_end() -> None:
    log = "1: (05) goto pc-2\n" * 400_000 + "something\nprocessed 9 insns\n"
    start = time.process_time()
    assert read(log).error == "something"
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("lacks", "why", "hint"),
    [
        ("struct task.state", "struct task of this kernel has no field state; it has __state", True),
        (
            "struct task___old.se.sum_exe",
            "struct task's se of this kernel has no field sum_exe; it has sum_exec",
            True,
        ),
        ("struct task.list[2].next", "struct task's list of this kernel has no field next", True),
        ("struct task.pid", "pid is of another type in struct task of this kernel", False),
        ("struct tusk.pid", "this kernel has no struct tusk", False),
        ("union tusk", "this kernel has no union tusk", False),
        ("enum kind___old::FIRST = 1", "enum kind of this kernel has no FIRST", False),
    ],
)
def test_what_the_kernels_types_have(lacks: str, why: str, hint: bool) -> None:
    known = {(): ["__state", "pid", "se", "list"], ("se",): ["vruntime", "sum_exec"], ("list",): []}

    def fields(struct: str, path: Sequence[str]) -> list[str] | None:
        return known.get(tuple(path), []) if struct == "task" else None

    log = f"0: <invalid CO-RE relocation>\nfailed to resolve CO-RE relocation <byte_off> [5] {lacks} (0:1)\n"
    error = rejected(log, function="f", text=TEXT, places=[Place(0, 3, 10, "")], fields=fields)
    assert (error.rule, error.why, bool(error.hint)) == ("relocation", why, hint)


BULK = 64 << 20


@pytest.mark.parametrize(
    "log",
    [
        "5: (85) call bpf_ktime_get_ns#5 ; R0=scalar() R6=1\n",
        "1: (05) goto pc+1\nfrom 1 to 2: R0=1 R1=scalar(smin=0,smax=umax=6,var_off=(0x0; 0x7))\n",
        "5: (bf) r1 = r2\n6: (bf) r2 = r1 ; R2=scalar()\n7: (55) if r1 != 0x7 goto pc-2 ; R1=scalar()\n",
        "\n",
        " ",
        "1",
        "; a @ b",
        "R1=scalar(((",
        "\x00\xff\x85\u2028",
        "Verification failed: x\n\nAt:\n  a:1:1\n     | ^-- e: x\n",
    ],
    ids=range(10),
)
def test_64_megabytes_of_anything(log: str) -> None:
    huge = log * (BULK // len(log)) + "\n9: (79) r1 = *(u64 *)(r1 +0)\nR1 invalid mem access 'scalar'\n"
    start = time.process_time()
    error = rejected(huge, function="f", text=TEXT, files=("cell.c",))
    assert error.block()
    assert len(error.path) <= 400
    assert time.process_time() - start < 2
    assert error.log == huge


def test_a_report_of_newer_kernels_is_preferred() -> None:
    error = rejected(REPORT, function="f", text=TEXT, files=("cell.c",))
    assert error.what == "f: R0 invalid mem access 'map_value_or_null'"
    assert error.rule == "null check"
    assert error.why.startswith("R0 may be NULL here (a nullable map value pointer). The program could")
    assert error.hint.startswith("Add a NULL check before the access")
    assert [(mark.line, mark.note) for mark in error.where] == [
        (3, "R0 changed from an uninitialized value to a nullable map value pointer by a helper call"),
        (4, "invalid dereference of R0 (a nullable map value pointer)"),
    ]
    assert error.log == REPORT


def test_a_report_without_lines_of_the_text() -> None:
    error = rejected(PLAIN_REPORT, function="f", text=TEXT, files=("cell.c",), definition=1)
    assert error.what == "f: R0 !read_ok"
    assert (
        error.why == "R0 has never been initialized on this path, so the verifier cannot use it as an input."
    )
    assert error.hint == "Initialize R0 on every path before this instruction."
    assert [mark.line for mark in error.where] == [1]


@settings(deadline=None)
@given(st.integers(0, 2000))
def test_a_report_may_end_anywhere(end: int) -> None:
    assert rejected(REPORT[:end], function="f", text=TEXT, files=("cell.c",)).what.startswith("f: ")


def test_the_path_is_a_frame() -> None:
    error = rejected(WALK.replace("bpf_tracing.h:12", "cell.c:4"), function="f", text=TEXT, files=("cell.c",))
    frame = error.path
    assert list(frame) == ["line", "column", "insn", "code", "text", "register", "before", "after"]
    assert frame.line.tolist() == [3, 3, 4]
    assert frame.register.tolist() == ["R0", "R6", "R6"]
    assert frame.after[0] == "NULL, or a value of the map counts (8 bytes)"
    assert VerifierRejected("nothing is known").path.empty


_LINES = st.sampled_from(
    [
        *WALK.splitlines(),
        "; text @ cell.c:99999999999999999999",
        "99999999999999999999: (95) exit",
        "infinite loop detected at insn 99999999999999999999",
        "BPF program is too large. Processed 1000001 insn",
        "Unreleased reference id=2 alloc_insn=99",
        "from 5 to 11: R0=0",
        "from 2 to 3: safe",
        "1: (0f) r0 += r1",
        "2: (71) r1 = *(u8 *)(r0 +0)",
        "1: (67) r1 <<= 99999999999",
        "invalid access to map value, value_size=4 off=-3 size=8",
        "R1 max value is outside of the allowed memory range",
        "math between fp pointer and register with unbounded min value is not allowed",
        "R2 unbounded memory access, use 'var &= const' or 'if (var < const)'",
        "6: (85) call bpf_probe_read_user#112",
        "4: R0=map_value(off=0,ks=4,vs=48,umax=99,var_off=(0x0; 0x7f)) R1=fp-8 R2=scalar(smax=3)",
        "2: (15) if r0 == 0x0 goto pc+1 3: R1=scalar(umax=6)",
        *PLAIN_REPORT.splitlines(),
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


@settings(deadline=None)
@given(
    st.lists(_LINES | st.text(max_size=60), max_size=40), st.text(max_size=200), st.lists(_PLACES, max_size=5)
)
@example(WALK.splitlines(), TEXT, [])
def test_no_log_is_too_strange(lines: list[str], text: str, places: list[Place]) -> None:
    log = "\n".join(lines)
    error = rejected(log, function="f", text=text, files=("cell.c",), places=places)
    assert error.block()
    assert error.log == log


@settings(deadline=None)
@given(st.integers(0, len(WALK)))
def test_a_log_may_end_anywhere(end: int) -> None:
    assert rejected(WALK[:end], function="f", text=TEXT, files=("cell.c",)).what.startswith("f: ")

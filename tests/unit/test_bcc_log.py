"""Recorded messages of bcc and of the verifier, in terms of the text.

``data/bcc/VERSION`` has what bcc printed for ``data/bcc/*.c`` (the options of clang left out), and the
kernel's log of those that it refused; 0.26 is of Debian 12 with LLVM 14, 0.31 of Debian 13 with LLVM 19.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.backends import bcc_log
from ebpf_lab.backends.bcc_failure import lines_of
from ebpf_lab.backends.bcc_text import BccText, prepare
from ebpf_lab.diagnose.clang import compile_error
from ebpf_lab.diagnose.verifier import rejected
from ebpf_lab.errors import CompileError
from ebpf_lab.source.analyse import analyse

DATA = Path(__file__).parent / "data" / "bcc"
versions = pytest.mark.parametrize("version", ["0.26", "0.31"])


def text_of(case: str) -> str:
    return (DATA / f"{case}.c").read_text()


def prepared(case: str, *, counted: bool = True) -> BccText:
    return prepare(analyse(text_of(case), dialect="bcc"), counted=counted)


def error(version: str, case: str) -> CompileError:
    spec, made = analyse(text_of(case), dialect="bcc"), prepared(case)
    log = bcc_log.compiler((DATA / version / f"{case}.txt").read_text(), made, lines_of(spec.programs, made))
    return compile_error(log, spec.text, files=(bcc_log.CELL,))


def marked(found: CompileError) -> list[tuple[int, str]]:
    return [
        (mark.line, mark.text[mark.column - 1 :][: mark.length] if mark.column else "")
        for mark in found.where
    ]


@versions
class TestCompiler:
    def test_errors_of_the_front_end(self, version: str) -> None:
        found = error(version, "front_end")
        assert marked(found) == [(8, "unknown_first"), (9, "unknown_second"), (11, "TWICE")]
        assert found.what == "use of undeclared identifier 'unknown_first' (the first of 4 errors)"
        assert "cell.c:16:" in found.log
        assert "lab_result" not in found.log

    @pytest.mark.parametrize(
        ("case", "line", "what"),
        [
            ("generator", 5, "signed division"),
            ("library", 5, "built-in function 'mem"),
            ("arguments", 3, "too many args to a helper"),
        ],
    )
    def test_errors_of_the_code_generator(self, version: str, case: str, line: int, what: str) -> None:
        found = error(version, case)
        assert [mark.line for mark in found.where] == [line]
        assert what in found.what

    def test_too_much_on_the_stack_is_in_the_function_at_least(self, version: str) -> None:
        found = error(version, "stack")
        assert "BPF stack limit" in found.what
        # LLVM 19 names no line.
        assert [mark.line for mark in found.where] == [{"0.26": 3, "0.31": 1}[version]]

    def test_an_event_type_that_is_not_at_file_scope(self, version: str) -> None:
        messages = (DATA / version / "event_type.txt").read_text()
        assert bcc_log.types_refused(messages) == {0}
        assert bcc_log.types_refused((DATA / version / "front_end.txt").read_text()) == set()


def test_an_error_in_a_header_is_at_its_include() -> None:
    made = prepare(
        analyse(
            "BPF_RINGBUF_OUTPUT(e, 8);\n#include <linux/a.h>\n#include <linux/b.h>\n"
            "int kprobe__a(void *c) { e.ringbuf_output(c, 8, 0); return 0; }",
            dialect="bcc",
        )
    )
    place = made.text.split("\n").index("#include <linux/b.h> //~3") + 1
    log = f"In file included from /virtual/main.c:{place}:\ninclude/linux/b.h:7:1: error: wrong\n int\n ^\n"
    assert bcc_log.compiler(log, made, {}).startswith("In file included from cell.c:3:\n")


def test_giving_up_is_an_error() -> None:
    made = prepared("generator")
    log = "LLVM ERROR: Unsupported dynamic stack allocation\nStack dump:\n"
    assert bcc_log.compiler(log, made, {}).startswith("error: Unsupported dynamic stack allocation\n")


@versions
class TestVerifier:
    def refused(self, version: str, case: str) -> tuple[str, list[int]]:
        made = prepared(case, counted=False)
        function = "tracepoint__syscalls__sys_enter_openat"
        places = bcc_log.places((DATA / version / f"{case}.txt").read_text(), made, function)
        log = bcc_log.verifier((DATA / version / f"{case}.log").read_text(), made, places)
        found = rejected(log, function=function, text=text_of(case), files=(bcc_log.CELL,), places=places)
        return log, [mark.line for mark in found.where]

    def test_lines_of_the_disassembly(self, version: str) -> None:
        log, lines = self.refused(version, "verifier_null")
        assert lines == [5, 6]
        assert log.count("; event->pid = args->dfd; @ cell.c:6\n") == 1
        assert "main.c" not in log
        assert "//~" not in log

    def test_where_the_kernel_prints_none(self, version: str) -> None:
        assert "\n; " not in (DATA / version / "verifier_leak.log").read_text()
        log, lines = self.refused(version, "verifier_leak")
        assert lines[0] == 5
        assert "; event->pid = args->dfd; @ cell.c:8\n" in log

    def test_lines_of_the_kernel_alone(self, version: str) -> None:
        made = prepared("verifier_null", counted=False)
        log = bcc_log.verifier((DATA / version / "verifier_null.log").read_text(), made)
        assert "; event->pid = args->dfd; @ cell.c:6\n" in log

    def test_another_programs_instructions_are_not_taken(self, version: str) -> None:
        made = prepared("verifier_null", counted=False)
        assert bcc_log.places((DATA / version / "verifier_null.txt").read_text(), made, "other") == []


def test_kernels_before_6_10_name_no_line() -> None:
    made = prepared("verifier_null", counted=False)
    log = "; u64 bccs = 0;\n0: (b7) r1 = 0\n; event->pid = args->dfd; //~6\n1: (b7) r1 = 0\n"
    assert bcc_log.verifier(log, made) == (
        "0: (b7) r1 = 0\n; event->pid = args->dfd; @ cell.c:6\n1: (b7) r1 = 0\n"
    )


@given(st.text(alphabet=st.sampled_from("/virtualmain.c:12 errorwng;|^~@\n\t(#"), max_size=300))
def test_no_messages_break_it(messages: str) -> None:
    made = prepared("generator")
    bcc_log.compiler(messages, made, {})
    bcc_log.verifier(messages, made, bcc_log.places(messages, made, "a"))
    bcc_log.types_refused(messages)

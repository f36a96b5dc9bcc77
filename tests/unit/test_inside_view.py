"""The Inside view: C, bytecode and native code of a program beside each other, and what is known of each."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bytecode import instruction

from ebpf_lab import inspection
from ebpf_lab.errors import MissingFeature, MissingPrivilege, UsageProblem
from ebpf_lab.inside import bytecode, page
from ebpf_lab.inside.c_text import coloured, needed
from ebpf_lab.inside.flow import basic_blocks
from ebpf_lab.inside.graph import MOST_BLOCKS, graph
from ebpf_lab.inside.known import aligned, known
from ebpf_lab.inside.parts import Part, grouped
from ebpf_lab.inside.placed import bytecode_of
from ebpf_lab.inside.program import Function, NativeFunction, ProgramCode, Samples, SourceLine
from ebpf_lab.inside.view import Inside
from ebpf_lab.inspection import Kernel
from ebpf_lab.source.analyse import analyse
from ebpf_lab.stats import ProgramStats, Stats

TEXT = """#include "vmlinux.h"
/* <counts>
   calls */
SEC("tracepoint/syscalls/sys_enter_lseek")
int count(void *ctx)
{
    if (*(u64 *)(ctx + 24) == 0)
        helped();
    return 0;
}

SEC("tracepoint/syscalls/sys_exit_lseek")
int unused(void *ctx)
{
    return 0;
}
"""
CODE = (
    instruction(0x79, 1, 1, offset=24)  # what it reads of the context, of which the kernel made two
    + instruction(0x07, 1, value=0)
    + instruction(0x55, 1, offset=1)  # if r1 != 0 goto the exit
    + instruction(0x85, value=0x40)
    + instruction(0xB4)
    + instruction(0x95)
)
LINES = (
    SourceLine(0, "", 7, 9, "    if (*(u64 *)(ctx + 24) == 0)"),
    SourceLine(3, "help.h", 40, 1, "static int helped() // <b>"),
    SourceLine(4, "", 9, 5, "    return 0;"),
)
# push rbp; mov rdi, [rdi + 0x18]; call; xor eax, eax; ret
NATIVE = bytes.fromhex("55 488b7f18 e800000000 31c0 c3")
LOG = """0: R1=ctx() R10=fp0
; if (*(u64 *)(ctx + 24) == 0) @ cell.c:7
0: (79) r1 = *(u64 *)(r1 +16)         ; R1_w=scalar()
1: (55) if r1 != 0x0 goto pc+1        ; R1_w=0
2: (85) call bpf_do#7
; return 0; @ cell.c:9
3: (b4) w0 = 0                        ; R0_w=0
4: (95) exit

from 1 to 3: R1=scalar(umin=1) R10=fp0
3: (b4) w0 = 0                        ; R0_w=0
4: (95) exit
processed 7 insns
"""


def kernel(machine: str = "x86_64") -> Kernel:
    return Kernel(
        machine,
        {0x1040: "bpf_do"}.get,  # type: ignore[arg-type]
        lambda: 0x1000,
        lambda action: MissingPrivilege(f"may not {action}"),
        lambda: MissingFeature("the kernel interprets these programs"),
    )


def code(*, native: bool = True, address: int = 0x5000) -> ProgramCode:
    return ProgramCode(
        "count",
        CODE,
        (Function("count", 0),),
        LINES,
        native=(NativeFunction(address, NATIVE),) if native else (),
        native_size=len(NATIVE) if native else 0,
        native_lines=(address, address + 5, address + 10),
    )


def view(logs: object = None, samples: Samples | None = None, **options: object) -> Inside:
    stats = Stats(programs={"count": ProgramStats(23, 310.0)})
    logs = {"count": LOG} if logs is None else logs
    return inspection.inside([code(**options)], analyse(TEXT), stats, logs, samples, kernel())  # type: ignore[arg-type]


def bare(shown: str) -> str:
    """What is left of a page without scripts, styles and drawings."""
    shown = re.sub(r"<(script|style|svg)\b.*?</\1>", "", shown, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", shown))


def test_as_text_each_line_has_its_bytecode_and_its_native_code() -> None:
    assert [" ".join(line.split()) for line in repr(view()).splitlines()] == [
        "count: tracepoint:syscalls:sys_enter_lseek, 23 runs, 310 ns each, 6 instructions, 5 native ones, "
        "7 steps of the verifier on 2 paths",
        "7 if (*(u64 *)(ctx + 24) == 0) │ 0 r1 = *(u64 *)(r1 +24) 0 push rbp",
        "│ 1 r1 += 0 1 mov rdi, qword ptr [rdi + 0x18]",
        "│ 2 if r1 != 0x0 goto L1",
        "help.h:40 static int helped() // <b> │ 3 call bpf_do 5 call 0x500a",
        "9 return 0; │ 4 L1 w0 = 0 a xor eax, eax",
        "│ 5 exit c ret",
    ]


def test_as_a_page_it_says_the_same_without_scripts_styles_and_drawings() -> None:
    text = bare(view()._repr_html_())
    for said in ("23 runs, 310 ns each", "/* <counts>\n", "r1 = *(u64 *)(r1 +24)", "qword ptr [rdi + 0x18]"):
        assert said in text
    assert "help.h:40" in text
    assert "block 0 · 0 to 2" in text
    assert "yes: block 2, no: block 1" in text
    assert "leaves the function" in text


def test_the_page_needs_nothing_from_elsewhere_and_nothing_in_it_is_taken_for_html(tmp_path: Path) -> None:
    shown = view()._repr_html_()
    assert not re.search(r"https?:|//cdn|@import|url\(", shown)
    assert "<counts>" not in shown
    assert "<b>'" not in shown
    assert shown in view().save(tmp_path / "count.html").read_text("utf-8")
    assert view().save(tmp_path / "count.txt").read_text("utf-8") == f"{view()!r}\n"


def test_lines_instructions_and_blocks_are_linked_by_their_names() -> None:
    shown = view()._repr_html_()
    panes, _, flow = shown.partition("<details class='graph'")
    assert len(re.findall("data-l='7'", panes)) == 2
    assert len(re.findall("data-l='help.h:40'", panes)) == 2
    assert re.findall(r"data-i='(\d+)'", panes) == ["0", "1", "2", "3", "4", "5"]
    assert re.findall(r"data-i='(\d+)'", flow) == ["0", "1", "2", "3", "4", "5"]
    assert re.findall(r"<g class='way (\w+)' data-from='(\d)' data-to='(\d)'", flow) == [
        ("yes", "0", "2"),
        ("no", "0", "1"),
        ("next", "1", "2"),
    ]


def test_one_program_of_several_shows_the_functions_it_comes_of() -> None:
    two = inspection.inside([code(), code()], analyse(TEXT), Stats(), {}, kernel=kernel())
    text = bare(two._repr_html_())
    assert text.count("int count") >= 2
    assert "int unused" not in text
    assert "int unused" in bare(view()._repr_html_())


class TestStates:
    def test_what_runs_is_found_in_what_was_given(self) -> None:
        given = ["r2 = r10", "r1 = 0xffff888", "call bpf_map_lookup_elem#1", "if r0 == 0x0 goto pc+2", "exit"]
        running = ["r2 = r10", "r1 = map[counts]", "r1 += 312", "r0 = 0", "if r0 == 0x0 goto L3", "exit"]
        assert aligned(given, running) == [
            (0, True),
            (1, True),
            (2, False),
            (2, False),
            (3, True),
            (4, True),
        ]
        assert aligned([], ["exit"]) == [None]
        assert aligned(["r0 = 0", "exit"], ["r0 = 0", "nospec", "exit"])[1] is None

    def test_each_instruction_has_what_was_known_behind_it(self) -> None:
        running = [(0, "r1 = *(u64 *)(r1 +24)"), (1, "if r1 != 0x0 goto L1"), (3, "w0 = 0"), (4, "exit")]
        found = known(LOG, ("cell.c",), running)
        assert (found.steps, found.paths, found.whole) == (7, 2, True)
        assert found.origins[0].code == "r1 = *(u64 *)(r1 +16)"
        assert not found.origins[0].same
        assert found.origins[1].told == "on path 1:\n* R1=0\n  R10=fp0"
        assert found.origins[3].steps == 2
        assert found.origins[3].told.splitlines()[3:] == [
            "on path 2:",
            "* R0=0",
            "  R1=scalar(umin=1)",
            "  R10=fp0",
        ]

    def test_they_are_in_the_page_and_the_steps_beside_the_lines(self) -> None:
        shown = view()
        (program,) = shown.programs
        steps, instructions = program.measures
        assert steps.of == {("", 7): 2, ("help.h", 40): 1, ("", 9): 4}
        assert instructions.of == {("", 7): 3, ("help.h", 40): 1, ("", 9): 2}
        assert all("not a measurement of time" in each.meaning for each in program.measures)
        titles = [
            html.unescape(each)
            for each in re.findall(r"data-i='\d+'[^>]* title='([^']*)'", shown._repr_html_())
        ]
        assert titles[1] == (
            "1: r1 += 0\nput by the kernel in the place of: r1 = *(u64 *)(r1 +16)\n"
            "on path 1:\n* R1=scalar()\n  R10=fp0"
        )
        assert "the verifier came by 2 times" in titles[4]

    def test_without_a_log_there_is_the_rest_and_why(self) -> None:
        shown = view(UsageProblem("the log is longer than 64 MiB"))
        assert shown.notes == ("without the verifier's states: the log is longer than 64 MiB",)
        assert [each.name for each in shown.programs[0].measures] == ["instructions"]
        assert "longer than 64 MiB" in bare(shown._repr_html_())
        assert repr(shown).startswith("without the verifier's states")
        assert "verifier" not in repr(view({}))

    @given(st.text(max_size=300))
    def test_any_text_is_a_log(self, log: str) -> None:
        assert view({"count": log})._repr_html_()


class TestSamples:
    def test_each_counts_for_the_line_of_its_native_code(self) -> None:
        shown = view(samples=Samples(4999, 100, 0, {0x5002: 4, 0x5005: 19, 0x5006: 3, 0x6000: 1}))
        (program,) = shown.programs
        assert program.measures[0].of == {("", 7): 4, ("help.h", 40): 22, ("", 9): 0}
        assert "26 in all: measured" in program.measures[0].meaning
        text = bare(shown._repr_html_())
        assert re.search(r"│ 22 +5 +call 0x500a", text)
        assert re.search(r"help.h:40 +22 ", text)
        assert "22 of 26 samples (84.6 %)" in shown._repr_html_()

    def test_none_or_lost_ones_are_told(self) -> None:
        shown = view(samples=Samples(4999, 100, 7, {}))
        assert [each.name for each in shown.programs[0].measures] == ["verifier's steps", "instructions"]
        assert shown.notes == (
            "without run cost: of 100 samples none met these programs, which ran too briefly",
            "run cost is incomplete: there was no room for 7 of the samples",
        )


class TestNotAllowed:
    def test_without_native_code_there_is_the_rest_and_why(self) -> None:
        shown = view(native=False)
        assert shown.notes == ("without native code: the kernel interprets these programs",)
        assert "call bpf_do" in repr(shown)
        hidden = view(address=0)
        assert hidden.notes == ("without native code: may not see the native code of a loaded program",)

    def test_bytecode_that_is_hidden_is_an_error(self) -> None:
        with pytest.raises(MissingPrivilege, match="bytecode"):
            inspection.inside([ProgramCode("count")], analyse(TEXT), Stats(), {}, kernel=kernel())


class TestText:
    def test_the_parts_of_a_declaration_stay_together(self) -> None:
        assert needed(TEXT, {7}) == set(range(4, 11))
        assert needed(TEXT, set()) == set()
        assert needed("int f()\n{\n  g({1;});\n}\nint h;\n", {3}) == {1, 2, 3, 4}

    @given(st.text())
    def test_colouring_changes_nothing(self, text: str) -> None:
        assert bare("\n".join(coloured(text))) == text

    @given(st.text(), st.sets(st.integers(1, 9)))
    def test_any_text_has_parts(self, text: str, lines: set[int]) -> None:
        assert lines <= needed(text, lines)


def part(*codes: bytes) -> Part:
    program = ProgramCode("f", b"".join(codes), (Function("f", 0),))
    ((function, placed),) = bytecode_of(program, lambda address: "", 0)
    return Part(function, grouped(placed, []), basic_blocks([each.instruction for each in placed]))


class TestGraph:
    def test_tail_calls_and_loops_are_told(self) -> None:
        call = instruction(0x85, value=bytecode.TAIL_CALL)
        shown = graph(
            part(instruction(0x15, 1, offset=2), call, instruction(0x05, offset=-3), instruction(0x95))
        )
        assert "goes to another program, unless it fails" in bare(shown)
        assert "class='way goto back' data-from='1' data-to='0'" in shown

    def test_too_many_blocks_are_not_drawn(self) -> None:
        shown = graph(part(instruction(0x15, 1) * MOST_BLOCKS, instruction(0x95)))
        assert "301 blocks are too many" in shown

    def test_long_functions_are_drawn_by_their_lines(self) -> None:
        shown = bare(graph(part(instruction(0xB7) * 200, instruction(0x95))))
        assert "r0 = 0" not in shown
        assert "200 exit" in shown


def test_long_programs_are_cut() -> None:
    long = ProgramCode(
        "count", instruction(0xB7) * (page.MOST_ROWS + 22) + instruction(0x95), (Function("count", 0),)
    )
    shown = inspection.inside([long], analyse(TEXT), Stats(), {}, kernel=kernel())._repr_html_()
    assert shown.count("r0 = 0</span>") == page.MOST_ROWS
    assert "23 more rows are in Trace.disassembly()" in shown

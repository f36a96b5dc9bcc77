"""Listings of code: what is named, what is hidden, and how a page shows them."""

from __future__ import annotations

import copy
import html
import pickle
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bytecode import instruction

from ebpf_lab import inspection
from ebpf_lab.errors import MissingFeature, MissingPrivilege
from ebpf_lab.host import privileges
from ebpf_lab.host.privileges import Privileges
from ebpf_lab.inside import bytecode, listing, page
from ebpf_lab.inside.page import MOST_ROWS, Block, Row, Section
from ebpf_lab.inside.program import Function, NativeFunction, ProgramCode, SourceLine

# int count(void *ctx) { … }
CODE = (
    instruction(0x18, 1, bytecode.MAP, value=7)
    + instruction(0)
    + instruction(0x18, 2, bytecode.MAP_VALUE, value=8)
    + instruction(0, value=16)
    + instruction(0x15, 1, offset=2)  # if r1 == 0 goto the exit
    + instruction(0x85, value=0x40)
    + instruction(0x05, offset=-5)  # goto the second load
    + instruction(0x95)
)
LINES = (
    SourceLine(0, "", 3, 9, "    u64 *value = lookup(&counts, &key);"),
    SourceLine(4, "", 4, 5, "    if (<b>)"),
    SourceLine(5, "help.h", 40, 1, "static int helped()"),
    SourceLine(7, "", 6, 1, "}"),
)


def program(native: tuple[NativeFunction, ...] = (), native_size: int = 0) -> ProgramCode:
    return ProgramCode(
        "count",
        CODE,
        (Function("count", 0),),
        LINES,
        {7: "counts", 8: ".bss"},
        {".bss": {16: "total"}},
        native,
        native_size,
    )


def test_numbers_become_names() -> None:
    made = listing.of_bytecode([program()], {0x1040: "bpf_do"}.__getitem__, 0x1000)
    assert list(made.code) == [
        "r1 = map[counts]",
        "r2 = map[.bss]+16 (total)",
        "if r1 == 0x0 goto L2",
        "call bpf_do",
        "goto L1",
        "exit",
    ]
    assert list(made.instruction) == [0, 2, 4, 5, 6, 7]
    assert list(made.label) == ["", "L1", "", "", "", "L2"]
    assert list(made.line) == [3, 3, 4, 40, 40, 6]
    assert list(made.file) == ["", "", "", "help.h", "help.h", ""]


def test_calls_of_the_kernels_own_functions() -> None:
    tail_call, kernel_function = instruction(0x85, value=12), instruction(0x85, source=2, value=-0x40)
    made = listing.of_bytecode(
        [ProgramCode("f", tail_call + kernel_function, (Function("f", 0),))],
        {0xFC0: "bpf_task_release"}.__getitem__,
        0x1000,
    )
    assert list(made.code) == ["call bpf_tail_call", "call bpf_task_release"]
    assert made.line.isna().all()
    assert "no C lines are known" in repr(made)


def test_what_the_kernel_hides_is_not_guessed() -> None:
    hidden = program((NativeFunction(0, b""),), 64)
    made = listing.of_bytecode([hidden], lambda address: "", 0)
    assert made.code[3] == "call (hidden)"
    with pytest.raises(MissingPrivilege, match="native code"):
        inspection.jited([hidden])
    with pytest.raises(MissingPrivilege, match="bytecode"):
        inspection.disassembly([ProgramCode("count")])


def test_hidden_from_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    have = Privileges(2**40 - 1, True, False, 0, 2, 2, "none")
    monkeypatch.setattr(privileges, "current", lambda: have)
    with pytest.raises(MissingPrivilege) as caught:
        inspection.jited([program((NativeFunction(0, b""),), 64)])
    assert "kptr_restrict is 2" in caught.value.why
    assert "kptr_restrict=1" in caught.value.hint


def test_without_a_compiler_in_the_kernel(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = tmp_path / "bpf_jit_enable"
    monkeypatch.setattr(inspection, "_JIT_ENABLE", switch)
    with pytest.raises(MissingFeature, match="interprets") as caught:
        inspection.jited([program()])
    assert caught.value.hint == ""
    switch.write_text("0\n")
    with pytest.raises(MissingFeature) as caught:
        inspection.jited([program()])
    assert "bpf_jit_enable=1" in caught.value.hint


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_apart(code: bytes) -> None:
    made = list(bytecode.decode(code))
    assert code.startswith(b"".join(each.raw for each in made))
    assert len(code) - sum(len(each.raw) for each in made) < 16
    assert all(bytecode.text(each) for each in made)


class TestShown:
    def test_as_text_beside_the_c(self) -> None:
        shown = repr(listing.of_bytecode([program()], lambda address: "", 0))
        assert shown.splitlines() == [
            "count: 6 instructions, from 3 lines of C",
            "        3 u64 *value = lookup(&counts, &key); │ 0    r1 = map[counts]",
            "                                              │ 2 L1 r2 = map[.bss]+16 (total)",
            "        4 if (<b>)                            │ 4    if r1 == 0x0 goto L2",
            "help.h:40 static int helped()                 │ 5    call (hidden)",
            "                                              │ 6    goto L1",
            "        6 }                                   │ 7 L2 exit",
        ]

    def test_as_html_it_says_the_same(self) -> None:
        made = listing.of_bytecode([program()], lambda address: "", 0)
        shown = made._repr_html_()
        assert "<b>)" not in shown
        text = html.unescape(re.sub(r"<[^>]+>", "", shown))
        assert text.split() == repr(made).replace("count:", "count").split()

    def test_only_the_listing_itself_is_shown_so(self) -> None:
        made = listing.of_bytecode([program()], lambda address: "", 0)
        assert type(made.head(2)) is pd.DataFrame
        assert type(made[made.line == 3]) is pd.DataFrame
        again = pickle.loads(pickle.dumps(made))
        assert again.equals(made)
        assert "<table" in (copy.copy(made).head(3)._repr_html_() or "")

    def test_a_long_line_goes_on_beside_the_next_instructions(self) -> None:
        rows = [Row(str(at), "", "exit") for at in range(3)]
        shown = page.text(
            [Section("f", "", [Block("", 1, "word " * 40, rows), Block("", 2, "x" * 99, rows[:1])])]
        )
        left = [line.partition(" │")[0] for line in shown.splitlines()[1:]]
        assert left[1].startswith("      word")
        assert left[2].rstrip().endswith("…")
        assert max(map(len, left)) <= 58

    def test_long_functions_are_cut_and_many_are_folded(self) -> None:
        rows = [Row(str(at), "", "r0 = 0") for at in range(MOST_ROWS + 23)]
        long = Section("long", "", [Block("", 1, "x;", rows[:9]), Block("", 2, "y;", rows[9:])])
        shown = page.html([long, Section("short", "", [Block("", 3, "z;", rows[:1])])])
        assert shown.count("r0 = 0") == MOST_ROWS + 1
        assert "23 more rows are in the frame" in shown
        assert "<details open" not in shown
        assert "<details open" in page.html([Section("short", "", [Block("", 3, "z;", rows[:1])])])

"""The verifier's walk through an accepted program: what is known after each step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.inside import walk

SOURCE = """int count(void *ctx)
{
    u64 *value = lookup(&key);
    if (value)
        *value += 1;
    return 0;
}"""
LOG = """func#0 @0
0: R1=ctx() R10=fp0
; u64 *value = lookup(&key); @ cell.c:3
0: (18) r1 = 0xffff8881b2973200       ; R1_w=map_ptr(map=counts,vs=8)
2: (bf) r2 = r10                      ; R2_w=fp0 R10=fp0
3: (85) call bpf_map_lookup_elem#1
mark_precise: frame0: last_idx 3 first_idx 0 subseq_idx -1
4: R0_w=map_value_or_null(id=1,vs=8)
; if (value) @ cell.c:4
4: (15) if r0 == 0x0 goto pc+2        ; R0_w=map_value(map=counts,vs=8)
; *value += 1; @ cell.c:5
5: (b7) r1 = 1                        ; R1_w=1
6: (db) lock *(u64 *)(r0 +0) += r1    ; R0_w=map_value(map=counts,vs=8) R1_w=1
; return 0; @ cell.c:6
7: (b4) w0 = 0                        ; R0_w=0
8: (95) exit

from 4 to 7: R0=0 R10=fp0
7: R0=0 R10=fp0
; return 0; @ cell.c:6
7: (b4) w0 = 0                        ; R0_w=0
8: (95) exit
processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 1
"""


def test_what_is_known_after_each_step() -> None:
    made = walk.of_logs({"count": LOG}, SOURCE, ("cell.c",))
    assert list(made.instruction) == [0, 2, 3, 4, 5, 6, 7, 8, 7, 8]
    assert list(made.path) == [1, 1, 1, 1, 1, 1, 1, 1, 2, 2]
    assert list(made.line) == [3, 3, 3, 4, 5, 5, 6, 6, 6, 6]
    assert list(made.source[:3]) == [SOURCE.split("\n")[2]] * 3
    assert made.code[3] == "if r0 == 0x0 goto pc+2"
    assert made.registers[1] == {"R1": "map_ptr(map=counts,vs=8)", "R2": "fp0", "R10": "fp0"}
    assert made.registers[2] == {"R0": "map_value_or_null(id=1,vs=8)", "R10": "fp0"}
    assert made.state[2] == "R0_w=map_value_or_null(id=1,vs=8)"
    assert made.registers[3]["R0"] == "map_value(map=counts,vs=8)"
    assert made.registers[8] == {"R0": "0", "R10": "fp0"}
    assert made.log == LOG


def test_how_it_is_shown() -> None:
    assert repr(walk.of_logs({"count": LOG}, SOURCE, ("cell.c",))).splitlines() == [
        "count: 10 steps on 2 paths",
        "3 u64 *value = lookup(&key); │ 0 r1 = 0xffff8881b2973200     R1=map_ptr(map=counts,vs=8)",
        "                             │ 2 r2 = r10                    R2=fp0",
        "                             │ 3 call bpf_map_lookup_elem#1  R0=map_value_or_null(id=1,vs=8)",
        "4 if (value)                 │ 4 if r0 == 0x0 goto 7         R0=map_value(map=counts,vs=8)",
        "5 *value += 1;               │ 5 r1 = 1                      R1=1",
        "                             │ 6 lock *(u64 *)(r0 +0) += r1",
        "6 return 0;                  │ 7 w0 = 0                      R0=0",
        "                             │ 8 exit",
        "the other way at 4",
        "6 return 0;                  │ 7 w0 = 0",
        "                             │ 8 exit",
    ]


def test_a_called_function_has_registers_of_its_own() -> None:
    log = """0: R1=ctx() R10=fp0
0: (b7) r6 = 23                       ; R6_w=23
1: (85) call pc+2
caller:
 R6_w=23 R10=fp0
callee:
 frame1: R1=ctx() R10=fp0
4: (b7) r6 = 5                        ; frame1: R6_w=5
5: (95) exit
returning from callee:
 frame1: R0=0 R6_w=5 R10=fp0
to caller at 2:
 R0=0 R6_w=23 R10=fp0
2: (bf) r0 = r6                       ; R0_w=23 R6_w=23
3: (95) exit
"""
    made = walk.of_logs({"f": log}, "", ())
    assert [each.get("R6") for each in made.registers][2:] == ["5", "23", "23", "23"]
    assert made.line.isna().all()


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=200), max_size=2))
def test_any_text_is_a_log(logs: dict[str, str]) -> None:
    made = walk.of_logs(logs, SOURCE, ("cell.c",))
    assert made._repr_html_() or not logs
    assert repr(made) or not logs

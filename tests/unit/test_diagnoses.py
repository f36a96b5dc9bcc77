"""Recorded rejections of four kernels: the line and the rule that the lab names, and all that it says."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import diagnose as bench
from ebpf_lab.diagnose.verifier import is_complete, rejected

GROUPS = bench.groups()


@cache
def verdicts(group: str) -> list[Any]:
    return list(bench.judge(bench.cases(group)))


@pytest.mark.parametrize("group", GROUPS)
def test_line_and_rule(group: str) -> None:
    assert bench.share(verdicts(group)) >= 0.95, [each.wrong for each in verdicts(group) if each.wrong]


@pytest.mark.parametrize("group", GROUPS)
def test_what_the_learner_reads(group: str) -> None:
    """``./lab bench diagnose --write`` renews the files; read what changed."""
    assert bench.written(verdicts(group)) == bench.golden(group).read_text()


@pytest.mark.parametrize("group", GROUPS)
def test_each_has_a_sentence_and_a_place(group: str) -> None:
    for verdict in verdicts(group):
        assert verdict.error.why, verdict.case.name
        assert verdict.error.rule, verdict.case.name
        assert len({*verdict.error.where}) == len(verdict.error.where)
        assert verdict.error.log == verdict.case.log
        assert is_complete(verdict.case.log)
        for step in verdict.error.steps:
            assert not re.search(r"scalar\(|=0x", step.before + step.after)


@pytest.mark.parametrize("group", GROUPS)
def test_every_program_has_its_rule(group: str) -> None:
    cases = bench.cases(group)
    assert len(cases) > 27
    assert all(case.rule for case in cases)


def test_thirty_programs_came_up_by_themselves() -> None:
    recorded = {case.name for group in GROUPS if group.startswith(bench.FOUND) for case in bench.cases(group)}
    assert recorded == {program.name for program in bench.programs(bench.FOUND)}
    assert len(recorded) >= 30


def steps(name: str) -> list[tuple[Any, ...]]:
    case = next(each for each in bench.cases("verifier/6.12") if each.name == name)
    path = case.diagnosis().path[["line", "code", "register", "before", "after"]]
    return [tuple(row) for row in path.itertuples(index=False)]


def test_the_steps_of_a_value() -> None:
    counts = "a value of the map counts (48 bytes)"
    assert steps("array_off_by_one.libbpf") == [
        (34, "r1 = *(u64 *)(r6 +24)", "R1", "", "any number"),
        (39, "if r1 > 0x6 goto pc+5", "R1", "any number", "0 to 6"),
        (42, "r1 <<= 3", "R1", "0 to 6", "0 to 48"),
        (42, "r0 += r1", "R0", counts, f"{counts}, 0 to 48 bytes into it"),
        (42, "r1 = *(u64 *)(r0 +0)", "R0", f"{counts}, 0 to 48 bytes into it", ""),
    ]


def test_the_steps_of_an_address_that_was_given_away() -> None:
    record, gone = "what was reserved in the ring buffer (16 bytes)", "no address any more"
    assert steps("ringbuf_used_after_submit.libbpf") == [
        (26, "call bpf_ringbuf_reserve#131", "R0", "", f"NULL, or {record}"),
        (26, "r6 = r0", "R6", "", f"NULL, or {record}"),
        (27, "if r6 == 0x0 goto pc+7", "R6", f"NULL, or {record}", record),
        (34, "call bpf_ringbuf_submit#132", "R6", record, gone),
        (35, "*(u64 *)(r6 +8) = r0", "R6", gone, ""),
    ]


@pytest.mark.parametrize(
    "name", ["array_off_by_one.libbpf", "loop_too_long.libbpf", "null_check_missing.bcc", "size_zero.libbpf"]
)
def test_64_megabytes_of_a_real_log(name: str) -> None:
    case = next(each for each in bench.cases("verifier/6.12") if each.name == name)
    end = case.log[-20_000:]
    huge = replace(case, log=end * ((64 << 20) // len(end)) + end)
    start = time.process_time()
    error = huge.diagnosis()
    assert error.block()
    assert len(error.path) <= 400
    assert time.process_time() - start < 2
    assert not replace(bench.judge([case])[0], error=error).wrong


@cache
def short(group: str) -> list[Any]:
    return [each for each in bench.cases(group) if len(each.log) < 20_000]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_log_may_end_or_begin_anywhere(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(short("verifier/6.12")))
    start, end = data.draw(st.integers(0, len(case.log))), data.draw(st.integers(0, len(case.log)))
    log = case.log[min(start, end) : max(start, end)]
    error = rejected(log, function="f", text=case.text, files=("cell.c",), places=case.places)
    assert error.block()
    assert error.log == log


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_log(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(short("found/6.18")))
    lines = case.log.splitlines()
    for _ in range(data.draw(st.integers(1, 5))):
        at, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        lines[at] = data.draw(st.sampled_from(["", lines[other], lines[at][::-1], lines[at] + lines[other]]))
    log = "\n".join(lines)
    assert rejected(log, function="f", text=case.text, files=("cell.c",), places=case.places).block()

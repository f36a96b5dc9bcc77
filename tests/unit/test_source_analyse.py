"""Analysing any text ends, in a description or a usage problem; the shipped snippets say what they do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebpf_lab.errors import UsageProblem
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.spec import ProgramSpec

SNIPPETS = sorted((Path(__file__).parents[2] / "bpf_snippets").glob("*.c"))
TEXTS = [path.read_text() for path in SNIPPETS]
PIECES = [
    *'(){}[];,*&"#\\\n=',
    *("//", "/*", "*/", "->", "...", "#if 0\n", "#endif\n", "#define X(a) a X(a)\n", "#define SEC(x) X(x)\n"),
    *("SEC", "BPF_HASH", "BPF_PERF_OUTPUT", "TRACEPOINT_PROBE", "BPF_KPROBE", "__uint", "__type", "struct"),
    *("sizeof", "typedef", "static", "int", "void", "events", "perf_submit", "bpf_ringbuf_reserve", "X", "e"),
    *("kprobe__f", '"kprobe/f"', '".maps"', "ctx", "1", "0x", "é", "\0"),
]


def described(text: str) -> ProgramSpec | None:
    try:
        spec = analyse(text)
    except UsageProblem:
        return None
    lines = text.count("\n") + 1
    for part in (*spec.programs, *spec.streams, *spec.maps):
        assert 1 <= part.line <= lines
    for stream in spec.streams:
        assert stream.kind == "printk" or bool(stream.why) != bool(stream.structs)
        assert len(stream.structs) == len(stream.c_types)
    return spec


@given(st.text())
def test_any_text(text: str) -> None:
    described(text)


@given(st.lists(st.sampled_from(PIECES), max_size=60), st.sampled_from(["", " "]))
def test_any_pieces_of_programs(pieces: list[str], between: str) -> None:
    described(between.join(pieces))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(TEXTS), st.data())
def test_mutated_programs(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 40)))
        text = text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:]
    described(text)


@given(st.sampled_from(TEXTS), st.data())
def test_truncated_programs_keep_what_is_whole(text: str, data: st.DataObject) -> None:
    lines = text.split("\n")
    cut = data.draw(st.integers(0, len(lines)))
    spec = described("\n".join(lines[:cut]))
    whole = analyse(text)
    if spec is not None and spec.dialect == whole.dialect:
        assert [each.name for each in spec.maps] == [each.name for each in whole.maps if each.line <= cut]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20000,
        "int f(void *ctx) " + "{" * 20000,
        "/*" * 20000,
        '"' * 20000,
        "#if 1\n" * 5000 + "int kprobe__f(void *ctx) {}",
        "int kprobe__f(void *c) { events.perf_submit(c, "
        + "*" * 5000
        + "e, sizeof(e)); }\nBPF_PERF_OUTPUT(events);",
        "SEC(" * 1000,
        "".join(f"#define M{n} M{n + 1}; M{n + 1}; perf_submit()\n" for n in range(200))
        + "int kprobe__f(int *c) { M0; }",
    ],
)
def test_pathological_texts_end_soon(text: str) -> None:
    started = time.process_time()
    described(text)
    assert time.process_time() - started < 5


def test_snippets_describe_themselves() -> None:
    assert SNIPPETS, "no snippet found"
    for path in SNIPPETS:
        spec = described(path.read_text())
        assert spec is not None, path.name
        assert spec.programs, path.name
        assert spec.dialect == path.name.split(".")[-2]
        assert all(stream.structs or stream.kind == "printk" for stream in spec.streams), path.name

"""Failures that programs count, in words; and which enumeration names the elements of bcc's arrays."""

from __future__ import annotations

import pytest

from ebpf_lab.failures import summary
from ebpf_lab.source.analyse import analyse

PROGRAM = "int kprobe__a(void *ctx) { return 0; }"


def test_summary() -> None:
    assert summary({"unreadable name": 2, "no room": 0, "map full": 1001}) == (
        "1,003 failed (2 unreadable name, 1,001 map full)"
    )
    assert summary({"unreadable name": 0}) == "0 failed"


@pytest.mark.parametrize(
    ("declaration", "key"),
    [
        ("BPF_PERCPU_ARRAY(failures, u64, FAILURES);", "enum failure"),
        ("BPF_ARRAY(failures, u64, FAILURES);", "enum failure"),
        ('BPF_TABLE("percpu_array", int, u64, failures, FAILURES);', "enum failure"),
        ("BPF_PERCPU_ARRAY(failures, u64, FIRST);", "enum failure"),
        ("BPF_PERCPU_ARRAY(failures, u64, 2);", ""),
        ("BPF_PERCPU_ARRAY(failures, u64);", ""),
        ("BPF_HASH(failures, u32, u64, FAILURES);", ""),
        ("BPF_PERCPU_ARRAY(failures, u64, OTHER);", ""),
    ],
)
def test_an_enumerator_for_a_size_names_the_elements(declaration: str, key: str) -> None:
    head = "enum failure { FIRST, SECOND = 1, FAILURES }; enum { OTHER };"
    (found,) = analyse(f"{head} {declaration} {PROGRAM}", dialect="bcc").maps
    assert found.key == key

"""The benchmarks run, and every event of theirs is accounted for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.machine import ROOT

pytestmark = pytest.mark.needs("libbpf", "clang", "btf")

_COMPARED = ("bcc", "headers", "ringbuf", "perfbuf")


def bench(*names: str) -> str:
    """What a quick run prints; its status is 1 for an event that is unaccounted for."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.needs(*_COMPARED)
def test_bcc_and_the_others_get_every_event() -> None:
    said = bench("ringbuf", "perfbuf")
    for side in ("the lab", "bcc, Python callbacks", "libbpf through ctypes", "libbpf in C"):
        assert side in said


@pytest.mark.needs(*_COMPARED)
def test_a_map_is_read_whole_as_by_bcc() -> None:
    said = bench("maps", "memory")
    assert "bcc, items_lookup_batch()" in said
    assert "MiB at the peak" in said


@pytest.mark.needs(*_COMPARED, "tracepoint")
def test_probes_beside_bcc() -> None:
    said = bench("probes", "background")
    assert "Time that a probe adds to a call: tracepoint" in said
    assert "updates were shown" in said

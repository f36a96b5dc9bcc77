"""A probe with a question mark is attached where it exists, and said to be missing where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.backends import each_backend
from support.texts import seek_stream

import ebpf_lab
from ebpf_lab.errors import AttachError

EVENTS = 23
NOWHERE = "tracepoint:syscalls:sys_enter_no_such_call"
OPTIONAL = {
    "libbpf": '\nSEC("?tracepoint/syscalls/%s")\nint optional(void *ctx) { return 0; }\n',
    "bcc": "\nint optional(void *ctx) { return 0; }\n",
}


def trace(backend: str, head: str, event: str, command: list[str]) -> ebpf_lab.Trace:
    text, attach = head + OPTIONAL[backend], {}
    if backend == "libbpf":
        text %= event
    else:
        attach["optional"] = f"?tracepoint:syscalls:{event}"
    return ebpf_lab.trace(text, attach=attach, command=command)


@each_backend
@pytest.mark.needs("tracepoint", "ringbuf")
def test_a_missing_place_leaves_its_program_out(backend: str, seek: Path) -> None:
    made = seek_stream(backend, "ringbuf").replace("%", "%%")
    ended = trace(backend, made, "sys_enter_no_such_call", [str(seek), str(EVENTS)])
    assert ended.frame["offset"].tolist() == list(range(EVENTS))
    assert ended.header.endswith(f" · tracepoint:syscalls:sys_enter_lseek · without {NOWHERE}")
    assert ended.results().notes == (
        f"{NOWHERE} was left out: this kernel has no tracepoint {NOWHERE.partition(':')[2]}",
    )
    assert "optional" not in ended.stats.programs


@each_backend
@pytest.mark.needs("tracepoint", "ringbuf", "stats")
def test_a_place_that_exists_is_attached_to(backend: str, seek: Path) -> None:
    made = seek_stream(backend, "ringbuf").replace("%", "%%")
    ended = trace(backend, made, "sys_exit_lseek", [str(seek), str(EVENTS)])
    assert ended.header.endswith("tracepoint:syscalls:sys_enter_lseek, tracepoint:syscalls:sys_exit_lseek")
    assert ended.results().notes == ()
    runs = ended.stats.programs["optional"].runs
    assert runs is not None
    assert runs >= EVENTS


@each_backend
@pytest.mark.needs("tracepoint")
def test_something_must_be_left(backend: str) -> None:
    with pytest.raises(AttachError, match="no tracepoint syscalls:sys_enter_no_such_call"):
        trace(backend, "", "sys_enter_no_such_call", ["true"])

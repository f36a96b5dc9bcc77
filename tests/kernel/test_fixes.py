"""What the lab proposes as a fix, put where it says, makes the kernel take the program."""

from __future__ import annotations

import platform
import re

import pytest

from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.errors import LabError, VerifierRejected
from ebpf_lab.source import snippets
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.rejection import ACCEPTED
from ebpf_lab.source.snippets import Snippet

FIXED = {
    "array_index_negative.libbpf": "if (type < 0) return 0;",
    "array_index_unbounded.libbpf": "if (type >= 6) return 0;",
    "array_off_by_one.libbpf": "if (type >= TYPES) return 0;",
    "dynptr_not_submitted.libbpf": "bpf_ringbuf_discard_dynptr(&record, 0);",
    "key_by_value.libbpf": "&uid",
    "lock_kept.libbpf": "bpf_spin_unlock(&total->lock);",
    "null_check_before_helper.libbpf": "if (!name) return 0;",
    "null_check_missing.bcc": "if (!count) return 0;",
    "null_check_missing.libbpf": "if (!count) return 0;",
    "null_check_other_variable.libbpf": "if (!failure) return 0;",
    "packet_checked_too_little.libbpf": "if ((void *)(ip + 1) > end) return XDP_PASS;",
    "packet_unchecked.libbpf": "if ((void *)(ethernet + 1) > end) return XDP_PASS;",
    "ringbuf_not_submitted.bcc": "events.ringbuf_discard(event, 0);",
    "ringbuf_not_submitted.libbpf": "bpf_ringbuf_discard(event, 0);",
    "ringbuf_unchecked.libbpf": "if (!event) return 0;",
    "size_negative.libbpf": "if (size < 0) return 0;",
    "size_too_large.libbpf": "sizeof(event->comm) in place of 32",
    "size_unbounded.libbpf": "if (size > 64) return 0;",
    "size_zero.libbpf": "if (size == 0) return 0;",
    "stack_index_unbounded.libbpf": "if (type >= 8) return 0;",
    "variable_unset.libbpf": "volatile u64 addend = 0;",
}
"""Fixes that are C: statements for the line that is marked last, a stricter comparison in place of another
one, or an expression in place of what is marked."""


def load(text: str, snippet: Snippet) -> LabError | None:
    """Compile and load, but attach nothing; what went wrong."""
    spec = analyse(text, dialect=snippet.backend, attach=snippet.attach)
    try:
        compiled = backend_for(spec.dialect)(spec, BuildOptions())
        try:
            compiled.load({}).close()
        finally:
            compiled.close()
    except LabError as error:
        return error
    return None


def mended(text: str, error: VerifierRejected) -> str:
    """The text with the fix."""
    lines = text.splitlines(keepends=True)
    for mark in error.where[:-1]:
        marked = mark.text[mark.column - 1 :][: mark.length]
        stricter = re.sub(r"(?<= )>(?= )", ">=", marked)
        if mark.column and stricter != marked and f"({stricter})" in error.hint:
            lines[mark.line - 1] = lines[mark.line - 1].replace(marked, stricter)
            return "".join(lines)
    declared = f"{error.hint.partition(' = ')[0]};"
    if declared in text:
        return text.replace(declared, error.hint)
    last = error.where[-1]
    if not error.hint.endswith(";"):
        new, _, old = error.hint.partition(" in place of ")
        old = old or last.text[last.column - 1 :][: last.length]
        lines[last.line - 1] = lines[last.line - 1].replace(old, new)
        return "".join(lines)
    # A path that leaves is marked where it does: the fix belongs into its block.
    behind = re.search(r"\{(?: *//.*)?$", last.text) is not None
    lines.insert(last.line - (not behind), f"{error.hint}\n")
    return "".join(lines)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.needs(*snippets.load(f"rejected/{name}").needs)) for name in FIXED],
)
def test_the_fix_mends_it(name: str) -> None:
    snippet = snippets.load(f"rejected/{name}")
    assert snippet.rejection is not None
    error = load(snippet.text, snippet)
    if error is None:
        assert ACCEPTED in snippet.rejection.on(platform.release())
        return
    assert isinstance(error, VerifierRejected)
    if name == "size_zero.libbpf" and "u64=" not in error.what:
        # Kernels that do not say the range learn nothing from a comparison with zero alone.
        assert not error.hint
        return
    assert error.hint == FIXED[name]
    assert load(mended(snippet.text, error), snippet) is None

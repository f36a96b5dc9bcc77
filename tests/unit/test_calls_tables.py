"""The committed tables of system calls against the headers of this machine."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import make_call_tables

from ebpf_lab.frame.calls import tables
from ebpf_lab.frame.calls.shapes import PACKED_SIZE, ShapeKind, is_early, packed, shapes
from ebpf_lab.frame.decoders import syscall_numbers

ARCHITECTURES = tuple(make_call_tables.DIRECTORIES)
COMMITTED = json.loads(make_call_tables.TABLES.read_text())
TREES = sorted(path.parents[2] for path in Path("/usr/src").glob("*/include/linux/syscalls.h"))

with_headers = pytest.mark.needs("headers")


def widths(declared: list[str]) -> list[bool]:
    """Which arguments are addresses: what a call's text hangs on, whatever the arguments' names."""
    return ["*" in argument for argument in declared]


@with_headers
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_arguments_agree_with_the_headers(arch: str) -> None:
    made = make_call_tables.arguments(TREES[-1], syscall_numbers(arch), arch)
    committed = {**COMMITTED["arguments"]["all"], **COMMITTED["arguments"][arch]}
    assert len(made) > 250
    # A newer kernel gives calls more arguments, removes some calls, and renames a few arguments.
    both = made.keys() & committed.keys()
    assert len(made.keys() - both) < 5, made.keys() - both
    older, newer = sorted((made, committed), key=len)
    assert {name: widths(older[name]) for name in both} == {
        name: widths(newer[name])[: len(older[name])] for name in both
    }
    renamed = {name for name in both if older[name] != newer[name][: len(older[name])]}
    assert len(renamed) < len(both) // 10, renamed


@with_headers
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_constants_agree_with_the_headers(arch: str) -> None:
    for group in {**COMMITTED["constants"]["all"], **COMMITTED["constants"][arch]}:
        made = make_call_tables.constants(TREES[-1], group, arch)
        committed = tables.constants(arch, group)
        assert made, group
        # A newer kernel has more of them; what it has in common is the same, but where a name was reused.
        assert {value: committed.get(value) for value in made} == made, group


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_almost_every_call_is_known(arch: str) -> None:
    known = tables.arguments(arch)
    missing = [name for name in syscall_numbers(arch) if name not in known]
    # Numbers that were given and never used, and what is newer than the tables.
    assert len(missing) <= 16, missing
    assert all(len(declared) <= 6 for declared in known.values())


def test_values_of_macros() -> None:
    defined = {
        "A": "0x10",
        "B": "(A | 1 << 8)",
        "C": "010",
        "D": "~(A - 1)",
        "E": "sizeof(int)",
        "F": "16UL",
        "G": "G",
    }
    values = [make_call_tables.evaluate(defined, name) for name in defined]
    assert values == [16, 272, 8, -16, None, 16, None]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_shapes(arch: str) -> None:
    known = shapes(arch)
    assert [(each.kind, each.argument) for each in known["openat"]] == [(ShapeKind.STRING, 1)]
    assert [each.argument for each in known["renameat2"]] == [1, 3]
    assert is_early(known["execve"])
    assert is_early(known["execveat"])
    assert [name for name in known if is_early(known[name])] == ["execve", "execveat"]
    (write,) = known["write"]
    assert (write.kind, write.argument, write.length) == (ShapeKind.SIZED, 1, 2)
    assert all(len(packed(each)) == PACKED_SIZE for each in known.values())
    assert packed(known["write"])[:12] == b"\0\0\0\0\4\1\2\0\0\0\0\0"


def test_old_calls_exist_on_x86_64_alone() -> None:
    numbers = {arch: syscall_numbers(arch) for arch in ARCHITECTURES}
    for name in ("open", "stat", "fork", "vfork", "pipe", "dup2"):
        assert name in numbers["x86_64"]
        assert name not in numbers["aarch64"]

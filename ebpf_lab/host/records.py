"""The struct that the kernel's BTF has for what a tracepoint records."""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import cache, lru_cache

from ebpf_lab.errors import LabError
from ebpf_lab.host import kernel_names, tracefs
from ebpf_lab.host.kernel_types import kernel
from ebpf_lab.source.btf import Kind

_PREFIX = "trace_event_raw_"
_BEFORE_AND_BEHIND = frozenset({"ent", "__data"})
_LOCATED = "__data_loc_"


@lru_cache(maxsize=64)
def record(group: str, name: str) -> str:
    """Name of the struct of a tracepoint's records, "" where BTF has none.

    All system calls share two, and other tracepoints with the same fields share the one of their class, which
    has a name of its own: sched_wakeup's is trace_event_raw_sched_wakeup_template.
    """
    if group == "syscalls":
        name = "sys_enter" if name.startswith("sys_enter_") else "sys_exit"
    if f"{_PREFIX}{name}" in kernel_names.types():
        return f"{_PREFIX}{name}"
    try:
        fields = frozenset(field for _, field in tracefs.fields(group, name))
        alike = _by_fields().get(fields, [])
    except (LabError, OSError):
        return ""
    return max(alike, key=lambda struct: SequenceMatcher(None, struct, _PREFIX + name).ratio(), default="")


@cache
def _by_fields() -> dict[frozenset[str], list[str]]:
    """The structs of records by the fields that they have."""
    btf = kernel()
    found: dict[frozenset[str], list[str]] = {}
    for number in btf.of_kind(Kind.STRUCT):
        name = btf.type(number).name
        if name.startswith(_PREFIX):
            fields = {member.name.removeprefix(_LOCATED) for member in btf.members(number)}
            found.setdefault(frozenset(fields - _BEFORE_AND_BEHIND), []).append(name)
    return found

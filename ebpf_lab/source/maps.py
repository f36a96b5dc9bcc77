"""Which maps a text declares: bcc's ``BPF_…`` macros, and libbpf's structs in ``SEC(".maps")``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ebpf_lab.source.ctype import Int
from ebpf_lab.source.lexer import Scan, spelled
from ebpf_lab.source.scalars import scalar
from ebpf_lab.source.spec import MapDecl


@dataclass(frozen=True, slots=True)
class FoundMap:
    """A declared map: ``value`` is the C type of its values as written, "" when nothing says.

    ``start`` and ``end`` are the bytes of the declaration that are no C (a macro call, a struct's body).
    """

    decl: MapDecl
    value: str
    start: int
    end: int


# bcc's macros: kind of map, which argument is the name, which one the value's type (None: it has no say).
_MACROS: dict[str, tuple[str, int, int | None]] = {
    "BPF_HASH": ("hash", 0, 2),
    "BPF_PERCPU_HASH": ("percpu_hash", 0, 2),
    "BPF_LRU_HASH": ("lru_hash", 0, 2),
    "BPF_LPM_TRIE": ("lpm_trie", 0, 2),
    "BPF_ARRAY": ("array", 0, 1),
    "BPF_PERCPU_ARRAY": ("percpu_array", 0, 1),
    "BPF_HISTOGRAM": ("histogram", 0, None),
    "BPF_STACK_TRACE": ("stack_trace", 0, None),
    "BPF_STACK_TRACE_BUILDID": ("stack_trace", 0, None),
    "BPF_PERF_OUTPUT": ("perf_event_array", 0, None),
    "BPF_PERF_ARRAY": ("perf_event_array", 0, None),
    "BPF_RINGBUF_OUTPUT": ("ringbuf", 0, None),
    "BPF_PROG_ARRAY": ("prog_array", 0, None),
    "BPF_CGROUP_ARRAY": ("cgroup_array", 0, None),
    "BPF_QUEUE": ("queue", 0, 1),
    "BPF_STACK": ("stack", 0, 1),
    "BPF_ARRAY_OF_MAPS": ("array_of_maps", 0, None),
    "BPF_HASH_OF_MAPS": ("hash_of_maps", 0, None),
    "BPF_SK_STORAGE": ("sk_storage", 0, 1),
    "BPF_INODE_STORAGE": ("inode_storage", 0, 1),
    "BPF_TASK_STORAGE": ("task_storage", 0, 1),
    "BPF_CGROUP_STORAGE": ("cgroup_storage", 0, 1),
    "BPF_PERCPU_CGROUP_STORAGE": ("percpu_cgroup_storage", 0, 1),
    "BPF_DEVMAP": ("devmap", 0, None),
    "BPF_CPUMAP": ("cpumap", 0, None),
    "BPF_XSKMAP": ("xskmap", 0, None),
    "BPF_SOCKMAP": ("sockmap", 0, None),
    "BPF_SOCKHASH": ("sockhash", 0, None),
    # These name their kind in the first argument.
    "BPF_TABLE": ("", 3, 2),
    "BPF_F_TABLE": ("", 3, 2),
    "BPF_TABLE_PUBLIC": ("", 3, 2),
    "BPF_TABLE_SHARED": ("", 3, 2),
    "BPF_TABLE_PINNED": ("", 3, 2),
    "BPF_QUEUESTACK": ("", 1, 2),
}
BCC_MAP_MACROS = frozenset(_MACROS)
# Where the macros of arrays have the number of elements.
_SIZES = {"BPF_ARRAY": 2, "BPF_PERCPU_ARRAY": 2, "BPF_TABLE": 4}

# What bcc calls the kinds that the kernel has another name for.
_BCC_KINDS = {
    "stacktrace": "stack_trace",
    "prog": "prog_array",
    "perf_output": "perf_event_array",
    "perf_array": "perf_event_array",
}


def bcc_maps(found: Scan) -> list[FoundMap]:
    """Maps made by bcc's macros, in source order."""
    maps = []
    enumerations = _enumerations(found)
    for first, last in found.calls(BCC_MAP_MACROS):
        token = found.tokens[first]
        kind, name_at, value_at = _MACROS[token.text]
        arguments = found.arguments(first, last)
        if name_at >= len(arguments) or not arguments[name_at].isidentifier():
            continue
        if not kind:
            kind = re.split(r"[:$]", arguments[0].strip('"'))[0]
            kind = _BCC_KINDS.get(kind, kind)
        histogram = kind == "histogram"
        if histogram:
            # bcc makes an array of a histogram with plain slots, and a hash of one with keys of its own.
            key = arguments[1] if len(arguments) > 1 else "int"
            kind = "array" if key == "int" else "hash"
        value = arguments[value_at] if value_at is not None and value_at < len(arguments) else ""
        size_at = _SIZES.get(token.text, len(arguments))
        size = arguments[size_at] if kind.endswith("array") and size_at < len(arguments) else ""
        line = found.line(token.start)
        decl = MapDecl(arguments[name_at], kind, line, histogram, enumerations.get(size, ""))
        maps.append(FoundMap(decl, value, token.start, found.tokens[last].end))
    return maps


def _enumerations(found: Scan) -> dict[str, str]:
    """The enumeration ("enum failure") that each enumerator of the text belongs to."""
    tokens = found.tokens
    owners = {}
    for at in range(2, len(tokens)):
        if tokens[at - 2].text == "enum" and tokens[at - 1].kind == "name" and tokens[at].text == "{":
            for inside in range(at + 1, found.closing(at)):
                if tokens[inside].kind == "name" and tokens[inside - 1].text in ("{", ","):
                    owners[tokens[inside].text] = f"enum {tokens[at - 1].text}"
    return owners


def counters(found: Scan) -> set[str]:
    """Names of perf event arrays that hold hardware counters, which the program itself reads."""
    names = {found.arguments(first, last)[0] for first, last in found.calls({"BPF_PERF_ARRAY"})}
    for first, last in found.calls({"bpf_perf_event_read", "bpf_perf_event_read_value"}):
        names.add(found.arguments(first, last)[0].removeprefix("&").strip())
    return names


def libbpf_maps(found: Scan) -> list[FoundMap]:
    """Maps declared as structs in ``SEC(".maps")``, in source order."""
    maps = []
    for first, last in found.calls({"SEC"}):
        if found.arguments(first, last) != ['".maps"'] or first == 0:
            continue
        name = found.tokens[first - 1]
        if name.kind != "name":
            continue
        body = _body(found, first - 2)
        attributes = _attributes(found, *body) if body else {}
        kind = attributes.get("type", "").removeprefix("BPF_MAP_TYPE_").lower()
        histogram = _is_histogram(found, name.text, attributes)
        decl = MapDecl(name.text, kind, found.line(name.start), histogram)
        start, end = (found.tokens[body[0]].end, found.tokens[body[1]].start) if body else (0, 0)
        maps.append(FoundMap(decl, attributes.get("value", ""), start, end))
    return maps


def _body(found: Scan, index: int) -> tuple[int, int] | None:
    """Indices of the brackets around the struct that ends at token ``index``, or whose name is there."""
    tokens = found.tokens
    if index >= 1 and tokens[index].kind == "name" and tokens[index - 1].text == "struct":
        for at in range(2, index - 1):
            if [token.text for token in tokens[at - 2 : at + 1]] == ["struct", tokens[index].text, "{"]:
                return at, found.closing(at)
    elif index >= 0 and tokens[index].text == "}":
        opening = found.opening(index)
        return (opening, index) if opening is not None else None
    return None


def _attributes(found: Scan, first: int, last: int) -> dict[str, str]:
    """What a map's struct says: ``__uint(type, …)``, ``__type(value, …)`` and so on."""
    attributes = {}
    for at in range(first, last):
        if found.tokens[at].text in ("__uint", "__type") and found.tokens[at + 1].text == "(":
            # Only the first comma divides: a type may have its own (``struct { int a, b; }``).
            inside = found.tokens[at + 2 : found.closing(at + 1)]
            attributes[spelled(inside[:1])] = spelled(inside[2:])
    return attributes


def _is_histogram(found: Scan, name: str, attributes: Mapping[str, str]) -> bool:
    """A map called hist or dist, from a whole number or a struct with a slot to a count, is a histogram."""
    if not name.lower().endswith(("hist", "dist", "histogram")):
        return False
    key, value = scalar(attributes.get("key", "")), scalar(attributes.get("value", ""))
    counts = isinstance(value, Int) and value.size == 8 and not value.signed
    return counts and ((isinstance(key, Int) and not key.char) or _has_slot(found, attributes.get("key", "")))


def _has_slot(found: Scan, key: str) -> bool:
    """Whether a key is a struct of the text with a member called slot."""
    tokens = found.tokens
    for at in range(2, len(tokens)):
        if [token.text for token in tokens[at - 2 : at + 1]] == [*key.split(), "{"]:
            members = tokens[at : found.closing(at)]
            return any(token.text == "slot" and behind.text == ";" for token, behind in pairwise(members))
    return False

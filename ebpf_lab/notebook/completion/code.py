"""Tab in the C of a ``%%bpf`` cell."""

from __future__ import annotations

from collections.abc import Mapping

from ebpf_lab.host import kernel_names
from ebpf_lab.host.records import record
from ebpf_lab.notebook import reference
from ebpf_lab.notebook.completion import names, places
from ebpf_lab.notebook.completion.cell import Cell
from ebpf_lab.notebook.completion.expressions import members_at
from ebpf_lab.notebook.completion.found import Found, among, choose, offer
from ebpf_lab.notebook.completion.place import Spot
from ebpf_lab.source.maps import BCC_MAP_MACROS
from ebpf_lab.source.probe import from_section
from ebpf_lab.source.spec import Dialect
from ebpf_lab.source.typename import TypeName

# libbpf's macros that follow a chain of members, and the argument that the chain begins with.
_READERS = {
    **dict.fromkeys(("BPF_CORE_READ", "BPF_PROBE_READ", "BPF_CORE_READ_USER", "BPF_PROBE_READ_USER"), 0),
    **dict.fromkeys(("BPF_CORE_READ_BITFIELD", "BPF_CORE_READ_BITFIELD_PROBED"), 0),
    **dict.fromkeys(("BPF_CORE_READ_INTO", "BPF_CORE_READ_USER_INTO", "BPF_PROBE_READ_INTO"), 1),
    **dict.fromkeys(("BPF_CORE_READ_STR_INTO", "BPF_CORE_READ_USER_STR_INTO", "BPF_PROBE_READ_STR_INTO"), 1),
}
_HEADS = frozenset({"BPF_PROG", "BPF_KPROBE", "BPF_KRETPROBE"})
_ATTRIBUTES = {"__uint": ("type", "max_entries", "key_size", "value_size", "map_flags", "pinning")}
_TYPES = {"__type": ("key", "value"), "__array": ("values",)}
_KINDS = {"union": "union", "enum": "enum"}
_USUAL = ("task_struct", "pt_regs", "file", "sock", "xdp_md")
_INCLUDES = ("vmlinux.h", "bpf/bpf_helpers.h", "bpf/bpf_tracing.h", "bpf/bpf_core_read.h", "bpf/bpf_endian.h")
_BCC_INCLUDES = ("linux/sched.h", "linux/fs.h", "uapi/linux/ptrace.h", "linux/mm_types.h", "net/sock.h")


def complete(cell: Cell, cursor: int) -> Found:
    """What the cursor, before this character of the cell's C, may be completed to."""
    spot = Spot.find(cell.code[:cursor])
    if spot.kind == "name":
        return _name(cell, spot)
    if spot.kind == "string":
        inside, given = spot.call()
        return places.sections(spot.word) if inside == "SEC" and len(given) == 1 else Found(spot.word)
    if spot.kind == "directive":
        return _directive(cell, spot)
    return Found("")


def _name(cell: Cell, spot: Spot) -> Found:
    inside, given = spot.call()
    expression = chain(inside, given)
    if expression:
        return _members(spot.word, members_at(spot.before[: spot.before.rindex(inside)], expression))
    if spot.behind in ("->", "."):
        before, expression = spot.owner()
        methods = _methods(cell, expression) if spot.behind == "." else ()
        if methods:
            return choose(spot.word, (methods, "method"))
        return _members(spot.word, members_at(before, expression))
    if spot.behind in ("struct", "union", "enum"):
        return _type(cell, spot)
    if spot.behind == "&":
        return _addressed(cell, spot.word, inside, given)
    declared = _parameters(inside, given, spot)
    if declared is not None:
        return declared
    special = _argument(inside, given, spot)
    return special if special is not None else names.complete(cell, spot.word, inside)


def chain(inside: str, given: list[str]) -> str:
    """In a macro that takes members one by one: the expression whose member is next; "" elsewhere."""
    first = _READERS.get(inside)
    if inside == "BTF_OFFSET" and len(given) == 2:
        given, first = [f"((struct {given[0]} *)0)", given[1]], 0
    if first is None or len(given) < first + 2:
        return ""
    return "->".join(part for each in given[first:] if (part := each.rstrip(" .")))


def _argument(inside: str, given: list[str], spot: Spot) -> Found | None:
    """What may be the argument of a macro that takes a name of its own kind; None for all others."""
    position = len(given) - 1
    match inside:
        case "__uint" | "__type" | "__array" if position == 0:
            return choose(spot.word, ((_ATTRIBUTES | _TYPES)[inside], "attribute"))
        case "__uint" if given[0] == "type":
            return choose(spot.word, (reference.names("map type"), "map type"))
        case "TRACEPOINT_PROBE" if position < 2:
            events = places.tracepoints()
            return choose(spot.word, (events if not position else events.get(given[0], ()), "tracepoint"))
        case "RAW_TRACEPOINT_PROBE":
            return offer(spot.word, places.named("rawtracepoint"), "tracepoint")
        case "KFUNC_PROBE" | "KRETFUNC_PROBE" if position == 0:
            return offer(spot.word, places.named("fentry"), "function")
        case "LSM_PROBE" if position == 0:
            return offer(spot.word, places.named("lsm"), "hook")
        case "BTF_OFFSET" | "BTF_SIZE" if position == 0:
            return offer(spot.word, kernel_names.types(), "struct")
    return None


def _parameters(inside: str, given: list[str], spot: Spot) -> Found | None:
    """What a program's head may declare: the arguments of what it is attached to, with their types."""
    if inside not in _HEADS or len(given) < 2 or given[-1]:
        return None
    texts = [token.text.strip('"') for token in spot.tokens if token.kind == "string"]
    probe = from_section(texts[-1]) if texts else None
    if probe is None:
        return None
    function = f"bpf_lsm_{probe.name}" if probe.kind == "lsm" else probe.name
    known = kernel_names.parameters(function)
    if probe.kind == "tp_btf":
        known = kernel_names.tracepoint_parameters(probe.name)
    elif inside == "BPF_KRETPROBE":
        known = (kernel_names.declared("result", kernel_names.result(function)),) if known else ()
    # In the order in which the kernel has them: the next one alone fits.
    left = known[len(given) - 2 : len(given) - 1]
    return choose(spot.word, (left, "argument")) if left else None


def _members(begun: str, members: Mapping[str, TypeName]) -> Found:
    # A space would break JupyterLab's column of types into lines.
    return among(
        begun, {name: kernel_names.shown(made).replace(" ", "\u00a0") for name, made in members.items()}
    )


def _before_call(spot: Spot, name: str) -> str:
    return spot.before[: spot.before.rindex(name)]


def _methods(cell: Cell, expression: str) -> tuple[str, ...]:
    """What a map of bcc's can be asked; none for what is no such map."""
    if cell.dialect is Dialect.LIBBPF or not any(name in cell.code for name in BCC_MAP_MACROS):
        return ()
    kinds = {each.decl.name: each.decl.kind for each in cell.maps}
    return names.METHODS.get(kinds[expression], names.TABLE_METHODS) if expression in kinds else ()


def _addressed(cell: Cell, begun: str, inside: str, given: list[str]) -> Found:
    """What an address is taken of: a map, where a helper wants one."""
    maps = [each.decl.name for each in cell.maps]
    helper = reference.helper(inside)
    takes = helper.signature.partition("(")[2].split(",") if helper is not None else []
    if len(given) <= len(takes) and takes[len(given) - 1].strip() in ("void *map", "void *ringbuf"):
        return choose(begun, (maps, "map"))
    known = set(reference.names()) | set(BCC_MAP_MACROS)
    return choose(begun, (maps, "map"), (cell.names() - known - {begun}, "name"))


def _type(cell: Cell, spot: Spot) -> Found:
    own = cell.types(spot.behind) - {spot.word}
    # The record of the tracepoint that the program is attached to, first of all.
    record = _record(spot)
    return choose(
        spot.word,
        (record, "context"),
        (own, spot.behind),
        *((kernel_names.types(_KINDS.get(spot.behind, "struct")).beginning(spot.word), spot.behind),)
        if len(spot.word) > 1
        else (),
        (_USUAL if spot.behind == "struct" else (), "struct"),
    )


def _record(spot: Spot) -> list[str]:
    """The struct that a tracepoint's program, whose parameters the cursor is in, is given."""
    texts = [token.text.strip('"') for token in spot.tokens if token.kind == "string"]
    parts = texts[-1].removeprefix("?").split("/") if texts else []
    if parts[:1] not in (["tracepoint"], ["tp"]) or len(parts) != 3 or spot.call()[0] == "":
        return []
    found = record(parts[1], parts[2])
    return [found] if found else []


def _directive(cell: Cell, spot: Spot) -> Found:
    head, quote, begun = spot.word.replace("<", '"').partition('"')
    if head.strip() != "#include" or not quote:
        return Found("")
    return choose(begun, (_BCC_INCLUDES if cell.dialect is Dialect.BCC else _INCLUDES, "header"))

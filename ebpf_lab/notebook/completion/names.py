"""Names that may stand where an expression or a statement begins, by dialect."""

from __future__ import annotations

from collections.abc import Iterable

from ebpf_lab.host import kernel_names
from ebpf_lab.notebook import reference
from ebpf_lab.notebook.completion import places
from ebpf_lab.notebook.completion.cell import Cell
from ebpf_lab.notebook.completion.found import Found, choose, offer
from ebpf_lab.source.dialect import BCC_FUNCTION_PREFIXES
from ebpf_lab.source.maps import BCC_MAP_MACROS
from ebpf_lab.source.spec import Dialect
from ebpf_lab.source.tree import BCC_FUNCTION_MACROS

_WORDS = (
    *("bool", "break", "case", "char", "const", "continue", "default", "do", "else", "enum", "for", "goto"),
    *("if", "int", "long", "return", "short", "sizeof", "static", "struct", "switch", "typedef", "union"),
    *("unsigned", "void", "volatile", "while", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "pid_t"),
    *("size_t", "ssize_t", "true", "false", "NULL"),
)
_SHORTEST_CONSTANT = 3
"""The kernel has 20,000 constants: fewer letters would only hide what else begins so."""

_NOT_IN_BCC = frozenset({"BPF_LRU_HASH"})
"""Which the lab recognises, but bcc does not know."""
_KINDS = {"raw_tracepoint__": "rawtracepoint", "syscall__": "ksyscall", "lsm__": "lsm"}

TABLE_METHODS = (
    *(
        "lookup",
        "lookup_or_init",
        "lookup_or_try_init",
        "update",
        "insert",
        "delete",
        "increment",
        "atomic_increment",
    ),
)
METHODS = {
    "array": ("lookup", "update", "increment", "atomic_increment"),
    "percpu_array": ("lookup", "update", "increment"),
    "histogram": ("increment", "atomic_increment"),
    "perf_event_array": ("perf_submit", "perf_submit_skb", "perf_read", "perf_counter_value"),
    "ringbuf": ("ringbuf_output", "ringbuf_reserve", "ringbuf_submit", "ringbuf_discard", "ringbuf_query"),
    "stack_trace": ("get_stackid",),
    "prog_array": ("call",),
    "queue": ("push", "pop", "peek"),
    "stack": ("push", "pop", "peek"),
    "cgroup_array": ("check_current_task",),
    "task_storage": ("task_storage_get", "task_storage_delete"),
    "inode_storage": ("inode_storage_get", "inode_storage_delete"),
    "sk_storage": ("sk_storage_get", "sk_storage_delete"),
    "devmap": ("redirect_map",),
    "cpumap": ("redirect_map",),
    "xskmap": ("redirect_map", "lookup"),
}
"""What bcc's maps can be asked, by their kind."""


def complete(cell: Cell, begun: str, inside: str) -> Found:
    """Names that begin so: the cell's own first, then the lab's reference, then the kernel's.

    Parameters
    ----------
    cell : Cell
    begun : str
    inside : str
        The call that the cursor is in, "" for none.
    """
    if begun and not (begun[0].isalpha() or begun[0] == "_"):
        return Found(begun)
    if cell.dialect is not Dialect.LIBBPF and (attached := _attached(begun)) is not None:
        return attached
    own = cell.names() - {begun}
    groups: list[tuple[Iterable[str], str]] = [(reference.names("helper"), "helper")]
    if cell.dialect is not Dialect.LIBBPF:
        groups += [(_bcc_macros(), "macro")]
    if cell.dialect is not Dialect.BCC:
        groups += [(reference.names("macro", Dialect.LIBBPF), "macro")]
        groups += [(kernel_names.kfuncs().beginning(begun), "kfunc")]
        if inside:
            groups += [(reference.names("map type"), "map type")]
    groups += [(reference.names("flag"), "flag"), (own, "name"), (_WORDS, "keyword")]
    if len(begun) >= _SHORTEST_CONSTANT and cell.dialect is not Dialect.BCC:
        groups += [(kernel_names.constants().beginning(begun), "constant")]
    return choose(begun, *groups)


def _attached(begun: str) -> Found | None:
    """Functions whose name says where bcc attaches them; None for others."""
    prefix = next((each for each in BCC_FUNCTION_PREFIXES if begun.startswith(each)), "")
    if not prefix:
        return None
    if prefix == "tracepoint__":
        events = places.tracepoints().items()
        return choose(
            begun, ((f"{prefix}{group}__{name}" for group, names in events for name in names), "tracepoint")
        )
    found = offer(begun.removeprefix(prefix), places.named(_KINDS.get(prefix, "kprobe")), "function")
    return Found(begun, [(prefix + name, what) for name, what in found.names])


def _bcc_macros() -> list[str]:
    maps = BCC_MAP_MACROS - _NOT_IN_BCC
    return [*reference.names("macro", Dialect.BCC), *maps, *BCC_FUNCTION_MACROS]

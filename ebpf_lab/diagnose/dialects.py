"""Words of one C dialect in a text of the other."""

from __future__ import annotations

import re

_BCC_MAPS = (
    r"BPF_(?:PERF_OUTPUT|RINGBUF_OUTPUT|HASH|ARRAY|HISTOGRAM|TABLE|STACK_TRACE|LRU_HASH|LPM_TRIE"
    r"|PERCPU_HASH|PERCPU_ARRAY)"
)
_BCC_FUNCTIONS = r"(?:RAW_)?TRACEPOINT_PROBE|KR?FUNC_PROBE|KRETFUNC_PROBE|LSM_PROBE"
_BCC = re.compile(
    rf"\b(?P<map>{_BCC_MAPS})\s*\(\s*(?P<name>\w*)|\b(?P<function>{_BCC_FUNCTIONS})\s*\((?P<places>[^)]*)"
    r"|\b(?P<owner>\w+)\.(?P<method>perf_submit|ringbuf_(?:output|reserve|submit|discard)|lookup|update|delete"
    r"|insert|increment|atomic_increment|lookup_or_try_init|lookup_or_init|perf_read|get_stackid)\s*\("
    r"|\b(?P<printk>bpf_trace_printk)\b"
)
_LIBBPF = re.compile(
    r"\b(?P<word>SEC|__uint|__type|__array|__ulong|BPF_CORE_READ\w*|BPF_PROBE_READ\w*|BPF_K(?:RET)?PROBE"
    r"|BPF_KSYSCALL|BPF_U(?:RET)?PROBE|BPF_PROG|BPF_USDT|bpf_core_\w+|BPF_SNPRINTF|__ksym|__kconfig|bpf_printk)\b"
    r"|#\s*include\s*[<\"](?P<header>vmlinux\.h|bpf/\w+(?:\.bpf)?\.h)"
)
_TYPES = {
    "BPF_HASH": "HASH",
    "BPF_LRU_HASH": "LRU_HASH",
    "BPF_PERCPU_HASH": "PERCPU_HASH",
    "BPF_ARRAY": "ARRAY",
    "BPF_PERCPU_ARRAY": "PERCPU_ARRAY",
    "BPF_HISTOGRAM": "ARRAY",
    "BPF_PERF_OUTPUT": "PERF_EVENT_ARRAY",
    "BPF_RINGBUF_OUTPUT": "RINGBUF",
    "BPF_STACK_TRACE": "STACK_TRACE",
    "BPF_LPM_TRIE": "LPM_TRIE",
}
_SECTIONS = {
    "TRACEPOINT_PROBE": "tracepoint",
    "RAW_TRACEPOINT_PROBE": "raw_tp",
    "KFUNC_PROBE": "fentry",
    "KRETFUNC_PROBE": "fexit",
    "LSM_PROBE": "lsm",
}
_CALLS = {
    "lookup": "bpf_map_lookup_elem(&{}, &key)",
    "lookup_or_try_init": "bpf_map_lookup_elem(&{}, &key)",
    "lookup_or_init": "bpf_map_lookup_elem(&{}, &key)",
    "update": "bpf_map_update_elem(&{}, &key, &value, BPF_ANY)",
    "insert": "bpf_map_update_elem(&{}, &key, &value, BPF_NOEXIST)",
    "delete": "bpf_map_delete_elem(&{}, &key)",
    "increment": "u64 *count = bpf_map_lookup_elem(&{}, &key), and *count += 1 where it is not NULL",
    "atomic_increment": "u64 *count = bpf_map_lookup_elem(&{}, &key), and __sync_fetch_and_add(count, 1)",
    "perf_submit": "bpf_perf_event_output(ctx, &{}, BPF_F_CURRENT_CPU, &event, sizeof(event))",
    "ringbuf_output": "bpf_ringbuf_output(&{}, &event, sizeof(event), 0)",
    "ringbuf_reserve": "bpf_ringbuf_reserve(&{}, sizeof(struct event), 0)",
    "ringbuf_submit": "bpf_ringbuf_submit(event, 0)",
    "ringbuf_discard": "bpf_ringbuf_discard(event, 0)",
    "get_stackid": "bpf_get_stackid(ctx, &{}, 0)",
}
_OTHERWISE = "--backend bcc, if the text is bcc's"


def mistaken(line: str, message: str, text: str, dialect: str, reason: str) -> tuple[str, str] | None:
    """Why and hint, where a line has words of the other dialect than its text was taken for; else None.

    Parameters
    ----------
    line : str
        The line that an error marks.
    message : str
        What the compiler said.
    text : str
        The whole text.
    dialect, reason : str
        The dialect that it was taken for, and what in it said so.
    """
    reason = reason.partition(";")[0]
    if dialect == "libbpf":
        return _of_bcc(line, message, text, reason)
    return _of_libbpf(line, reason)


def _of_bcc(line: str, message: str, text: str, reason: str) -> tuple[str, str] | None:
    found = _BCC.search(line)
    if not found:
        return None
    taken = f"this text was taken for libbpf: {reason}" if reason else "this is a text for libbpf"
    if found["printk"]:
        call = re.search(r'bpf_trace_printk\s*\((\s*"[^;]*)\)', line)
        inside = re.sub(r"\\n\"", '"', call[1].strip()) if call else "…"
        return f"bpf_trace_printk is bcc's way to print; {taken}", f"bpf_printk({inside})"
    if found["method"]:
        owner, method = found["owner"], found["method"]
        hint = _CALLS.get(method, "").format(owner)
        return f"{owner}.{method}() is bcc's; {taken}", f"{hint}\n{_OTHERWISE}" if hint else _OTHERWISE
    if found["function"]:
        parts = [part.strip() for part in found["places"].split(",")]
        count = 2 if found["function"] == "TRACEPOINT_PROBE" else 1
        section = "/".join([_SECTIONS[found["function"]], *parts[:count]])
        return (
            f"{found['function']} is bcc's; {taken}",
            f'SEC("{section}") before a function of your own name\n{_OTHERWISE}',
        )
    kind = _TYPES.get(found["map"], "HASH")
    name = found["name"] or "counts"
    lines = f'struct {{ __uint(type, BPF_MAP_TYPE_{kind}); … }} {name} SEC(".maps");'
    return f"{found['map']} is bcc's; {taken}", f"{lines}\n{_OTHERWISE}"


def _of_libbpf(line: str, reason: str) -> tuple[str, str] | None:
    found = _LIBBPF.search(line)
    if not found:
        return None
    taken = f"this text was taken for bcc: {reason}" if reason else "this is a text for bcc"
    if found["header"]:
        return (
            f"{found['header']} is libbpf's; {taken}",
            "drop this line: bcc's own headers are there already",
        )
    word = found["word"]
    hint = '--backend libbpf, or SEC("…") before a program, if the text is libbpf\'s'
    if word.startswith("BPF_CORE_READ"):
        hint = "in bcc, a->b reads the kernel's memory as it is"
    elif word == "bpf_printk":
        hint = "bpf_trace_printk()"
    elif word in ("__uint", "__type", "__array"):
        hint = f"BPF_HASH(name, u32, u64); in bcc\n{hint}"
    return f"{word} is libbpf's; {taken}", hint

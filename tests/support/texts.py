"""C texts that watch the program ``seek``: the same in both dialects, for each kind of stream."""

from __future__ import annotations

from support.targets import SEEK_MARK

LIBBPF_HEAD = f"""
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
char LICENSE[] SEC("license") = "GPL";
#define MARK {SEEK_MARK}
"""
BCC_HEAD = f"""
#include <uapi/linux/ptrace.h>
#define MARK {SEEK_MARK}
"""

# One field of each kind, with holes between them.
EVENT = """
enum parity { EVEN, ODD };

struct place {
    u16 row;
    u8 cells[3];
};

struct event {
    u64 ts;
    s64 offset;
    u32 pid;
    u32 cpu;
    u16 small;
    s8 negative;
    enum parity parity;
    struct place place;
    u32 low : 3;
    u32 high : 5;
    void *where;
    char comm[16];
};

static __always_inline void fill(struct event *event, s64 offset)
{
    __builtin_memset(event, 0, sizeof(*event));
    event->ts = bpf_ktime_get_ns();
    event->offset = offset;
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->cpu = bpf_get_smp_processor_id();
    event->small = 65535 - offset;
    event->negative = -offset;
    event->parity = offset & 1 ? ODD : EVEN;
    event->place.row = offset + 1;
    event->place.cells[2] = offset + 2;
    event->low = offset;
    event->high = offset;
    event->where = (void *)0xffff000000000000 + offset;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
}
"""

_SEEK = {
    "libbpf": """
SEC("tracepoint/syscalls/sys_enter_lseek")
int on_seek(struct trace_event_raw_sys_enter *ctx)
{
    s64 offset = ctx->args[1];
    if ((int)ctx->args[0] != -1 || ctx->args[2] != MARK)
        return 0;
    %s
    return 0;
}
""",
    "bcc": """
TRACEPOINT_PROBE(syscalls, sys_enter_lseek)
{
    s64 offset = args->offset;
    if ((int)args->fd != -1 || args->whence != MARK)
        return 0;
    %s
    return 0;
}
""",
}

_STREAMS = {
    ("libbpf", "ringbuf"): (
        'struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } events SEC(".maps");',
        """struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    fill(event, offset);
    bpf_ringbuf_submit(event, 0);""",
    ),
    ("libbpf", "perfbuf"): (
        "struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __type(key, u32); __type(value, u32); }"
        ' events SEC(".maps");',
        """struct event event;
    fill(&event, offset);
    bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &event, sizeof(event));""",
    ),
    ("libbpf", "printk"): ("", 'bpf_printk("offset %ld", offset);'),
    ("bcc", "ringbuf"): (
        "BPF_RINGBUF_OUTPUT(events, 16);",
        """struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event)
        return 0;
    fill(event, offset);
    events.ringbuf_submit(event, 0);""",
    ),
    ("bcc", "perfbuf"): (
        "BPF_PERF_OUTPUT(events);",
        """struct event event;
    fill(&event, offset);
    events.perf_submit(args, &event, sizeof(event));""",
    ),
    ("bcc", "printk"): ("", 'bpf_trace_printk("offset %ld", offset);'),
}


def on_seek(backend: str, body: str, declarations: str = "") -> str:
    """A text whose program runs ``body`` for each call that ``seek`` makes, with ``offset`` set."""
    head = LIBBPF_HEAD if backend == "libbpf" else BCC_HEAD
    return head + declarations + _SEEK[backend] % body


def seek_stream(backend: str, kind: str) -> str:
    """A text that sends a ``struct event`` (or a line of text) for each call that ``seek`` makes."""
    declarations, body = _STREAMS[backend, kind]
    return on_seek(backend, body, ("" if kind == "printk" else EVENT) + declarations)


FAILURES = {
    "libbpf": """
enum failure { UNREADABLE_NAME, NO_ROOM_FOR_CALL, FAILURES };
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FAILURES);
    __type(key, enum failure);
    __type(value, u64);
} failures SEC(".maps");

static __always_inline void count_failure(enum failure failure)
{
    u64 *count = bpf_map_lookup_elem(&failures, &failure);
    if (count)
        *count += 1;
}
""",
    "bcc": """
enum failure { UNREADABLE_NAME, NO_ROOM_FOR_CALL, FAILURES };
BPF_PERCPU_ARRAY(failures, u64, FAILURES);
static __always_inline void count_failure(enum failure failure)
{
    failures.increment(failure);
}
""",
}
"""What counts failures, by dialect."""


GOOD = seek_stream("libbpf", "ringbuf")
"""An event for each call that ``seek`` makes."""

BAD = (
    on_seek("libbpf", "return lenght;"),
    on_seek("libbpf", "return *(int *)ctx->args[0];"),
    LIBBPF_HEAD + '\nSEC("tracepoint/syscalls/sys_enter_opennat")\nint on_open(void *ctx) { return 0; }\n',
    # The first of the two is attached when the second one fails.
    GOOD + '\nSEC("uprobe/libc:prinft")\nint on_print(void *ctx) { return 0; }\n',
)
"""Programs that fail to compile, to load, and to attach."""

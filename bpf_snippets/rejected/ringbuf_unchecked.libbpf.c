// SPDX-License-Identifier: GPL-2.0
// title:    A ring buffer that may be full
// teaches:  bpf_ringbuf_reserve() returns NULL when there is no room
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// expect-reject: invalid mem access 'ringbuf_mem_or_null'
//           6.1: invalid mem access 'alloc_mem_or_null'
// limits:   the check that mends it loses the event; count how often that happens
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    u64 ts;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
#ifdef FIXED
    if (!event)
        return 0;
#endif
    event->ts = bpf_ktime_get_ns();  // <- rejected here
    bpf_ringbuf_submit(event, 0);
    return 0;
}

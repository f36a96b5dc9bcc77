// SPDX-License-Identifier: GPL-2.0
// title:    A helper that would write too far
// teaches:  the size given to a helper belongs to the memory given to it
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// expect-reject: invalid access to memory, mem_size=24 off=8 size=32
// limits:   a field in the middle of a struct may be overrun: the verifier sees the record's end alone
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    u64 ts;
    char comm[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
#ifdef FIXED
    bpf_get_current_comm(event->comm, sizeof(event->comm));
#else
    bpf_get_current_comm(event->comm, 32);  // <- rejected here
#endif
    bpf_ringbuf_submit(event, 0);
    return 0;
}

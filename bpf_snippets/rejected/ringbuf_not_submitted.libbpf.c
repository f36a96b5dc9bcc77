// SPDX-License-Identifier: GPL-2.0
// title:    A record that is forgotten
// teaches:  what is reserved must be submitted or discarded on every path
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// expect-reject: Unreleased reference
// limits:   better look before reserving: a discarded record takes up room until the reader comes to it
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    u32 pid;
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
    event->pid = bpf_get_current_pid_tgid() >> 32;
    if (event->pid == 1) {  // <- rejected here
#ifdef FIXED
        bpf_ringbuf_discard(event, 0);
#endif
        return 0;
    }
    bpf_ringbuf_submit(event, 0);
    return 0;
}

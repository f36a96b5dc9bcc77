// SPDX-License-Identifier: GPL-2.0
// title:    A record that is given back twice
// teaches:  submit or discard, and each record once
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// expect-reject: type=scalar expected=ringbuf_mem
//           6.1: type=scalar expected=alloc_mem
// limits:   the same is said of a pointer that never came from the ring buffer
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
#ifdef FIXED
    if (event->pid == 1) {
        bpf_ringbuf_discard(event, 0);
        return 0;
    }
#else
    if (event->pid == 1)
        bpf_ringbuf_discard(event, 0);
#endif
    bpf_ringbuf_submit(event, 0);  // <- rejected here
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A record that is already the reader's
// teaches:  after bpf_ringbuf_submit() the memory is no longer the program's
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// expect-reject: invalid mem access 'scalar'
// limits:   the words do not mention the submit: to the verifier the pointer has become a mere number
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    u64 ts;
    u64 cgroup;
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
    event->cgroup = bpf_get_current_cgroup_id();
    bpf_ringbuf_submit(event, 0);
#else
    bpf_ringbuf_submit(event, 0);
    event->cgroup = bpf_get_current_cgroup_id();  // <- rejected here
#endif
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A perf buffer's helper and a ring buffer
// teaches:  each kind of map has helpers of its own
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// expect-reject: cannot pass map_type 27 into func bpf_perf_event_output
// limits:   the kind is shown as its number: 27 is BPF_MAP_TYPE_RINGBUF in linux/bpf.h
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    u64 now = bpf_ktime_get_ns();
#ifdef FIXED
    bpf_ringbuf_output(&events, &now, sizeof(now), 0);
#else
    bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &now, sizeof(now));  // <- rejected here
#endif
    return 0;
}

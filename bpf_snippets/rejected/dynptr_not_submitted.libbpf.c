// SPDX-License-Identifier: GPL-2.0
// title:    A record without room that must be given back
// teaches:  bpf_ringbuf_reserve_dynptr() wants a submit or discard even when it failed
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// expect-reject: Unreleased reference
// limits:   bpf_ringbuf_reserve() is the other way round: NULL must not be given back
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
    struct bpf_dynptr record;
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    if (bpf_ringbuf_reserve_dynptr(&events, sizeof(pid), 0, &record)) {  // <- rejected here
#ifdef FIXED
        bpf_ringbuf_discard_dynptr(&record, 0);
#endif
        return 0;
    }
    bpf_dynptr_write(&record, 0, &pid, sizeof(pid), 0);
    bpf_ringbuf_submit_dynptr(&record, 0);
    return 0;
}

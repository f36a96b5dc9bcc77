// SPDX-License-Identifier: GPL-2.0
// title:    A spin lock where none may be
// teaches:  tracing programs take no spin locks; atomic operations do for a counter
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: tracing progs cannot use bpf_spin_lock yet
// limits:   tp_btf, fentry and network programs may use them
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct total {
    struct bpf_spin_lock lock;
    u32 unused;
    u64 count;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct total);
} totals SEC(".maps");

u64 count;

SEC("tracepoint/sched/sched_process_exec")
int count_exec(void *ctx)  // <- rejected here
{
#ifdef FIXED
    __sync_fetch_and_add(&count, 1);
#else
    u32 zero = 0;
    struct total *total = bpf_map_lookup_elem(&totals, &zero);
    if (!total)
        return 0;
    bpf_spin_lock(&total->lock);
    total->count += 1;
    bpf_spin_unlock(&total->lock);
#endif
    return 0;
}

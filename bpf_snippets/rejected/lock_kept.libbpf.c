// SPDX-License-Identifier: GPL-2.0
// title:    A lock that one path keeps
// teaches:  what is locked must be unlocked on every path
// attach:   tp_btf:sched_process_exec
// needs:    tp_btf, btf, clang, libbpf
// expect-reject: inside bpf_spin_lock-ed region
//           6.1: bpf_spin_unlock is missing
//           6.12: bpf_spin_unlock is missing
// limits:   a program holds one lock at a time, and calls nothing while it does
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct total {
    struct bpf_spin_lock lock;
    u32 count;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct total);
} totals SEC(".maps");

SEC("tp_btf/sched_process_exec")
int count_exec(void *ctx)
{
    u32 zero = 0;
    struct total *total = bpf_map_lookup_elem(&totals, &zero);
    if (!total)
        return 0;
    bpf_spin_lock(&total->lock);
    if (total->count == 1000) {  // <- rejected here
#ifdef FIXED
        bpf_spin_unlock(&total->lock);
#endif
        return 0;
    }
    total->count += 1;
    bpf_spin_unlock(&total->lock);
    return 0;
}

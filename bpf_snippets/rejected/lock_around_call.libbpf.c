// SPDX-License-Identifier: GPL-2.0
// title:    A helper call under a lock
// teaches:  while a lock is held nothing may be called: fetch what is needed before
// attach:   tp_btf:sched_process_exec
// needs:    tp_btf, btf, clang, libbpf
// expect-reject: function calls are not allowed while holding a lock
// limits:   a few kfuncs of lists and trees are for just that place, and are allowed
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct newest {
    struct bpf_spin_lock lock;
    u32 pid;
    u64 ts;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct newest);
} latest SEC(".maps");

SEC("tp_btf/sched_process_exec")
int exec_seen(void *ctx)
{
    u32 zero = 0;
    struct newest *newest = bpf_map_lookup_elem(&latest, &zero);
    if (!newest)
        return 0;
#ifdef FIXED
    u64 now = bpf_ktime_get_ns();
    bpf_spin_lock(&newest->lock);
    newest->ts = now;
    bpf_spin_unlock(&newest->lock);
#else
    bpf_spin_lock(&newest->lock);
    newest->ts = bpf_ktime_get_ns();  // <- rejected here
    bpf_spin_unlock(&newest->lock);
#endif
    return 0;
}

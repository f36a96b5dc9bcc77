// SPDX-License-Identifier: GPL-2.0
// title:    A key in place of its address
// teaches:  map helpers take pointers to key and value
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: type=scalar expected=fp
// limits:   compilers before clang 15 only warn of it
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, u32);
    __type(value, u64);
} counts SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int count_exec(void *ctx)
{
    u64 one = 1;
    u32 uid = bpf_get_current_uid_gid();
#ifdef FIXED
    bpf_map_update_elem(&counts, &uid, &one, BPF_ANY);
#else
    // The cast only keeps the compiler quiet.
    bpf_map_update_elem(&counts, (void *)(u64)uid, &one, BPF_ANY);  // <- rejected here
#endif
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A map element that may not be there
// teaches:  bpf_map_lookup_elem() returns NULL for a key that the map has not
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid mem access 'map_value_or_null'
// limits:   an array has every element: with a constant key new kernels want no check, older ones do
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
    u32 uid = bpf_get_current_uid_gid();
    u64 *count = bpf_map_lookup_elem(&counts, &uid);
#ifdef FIXED
    if (!count)
        return 0;
#endif
    *count += 1;  // <- rejected here
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    More bytes than the map's value has
// teaches:  the pointer's type in C is the program's own claim; the map says how large a value is
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid access to map value, value_size=4 off=0 size=8
// limits:   a read of fewer bytes than the value has is accepted, though it may mean something else
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, u32);
#ifdef FIXED
    __type(value, u64);
#else
    __type(value, u32);
#endif
} counts SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int count_exec(void *ctx)
{
    u32 uid = bpf_get_current_uid_gid();
    u64 *count = bpf_map_lookup_elem(&counts, &uid);
    if (!count)
        return 0;
    *count += 1;  // <- rejected here
    return 0;
}

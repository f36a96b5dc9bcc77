// SPDX-License-Identifier: GPL-2.0
// title:    The NULL check of another pointer
// teaches:  each lookup has a check of its own; what is known of one pointer says nothing of another
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid mem access 'map_value_or_null'
// limits:   the same key in the same map may be gone by the second lookup: that one needs a check, too
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, u32);
    __type(value, u64);
} calls SEC(".maps"), failures SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int count_exec(void *ctx)
{
    u32 uid = bpf_get_current_uid_gid();
    u64 *call = bpf_map_lookup_elem(&calls, &uid);
    u64 *failure = bpf_map_lookup_elem(&failures, &uid);
#ifdef FIXED
    if (!failure)
        return 0;
#endif
    if (!call)
        return 0;
    *call += 1;
    *failure += 1;  // <- rejected here
    return 0;
}

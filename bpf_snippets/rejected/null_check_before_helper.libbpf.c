// SPDX-License-Identifier: GPL-2.0
// title:    An element handed on unchecked
// teaches:  a helper takes no pointer that may be NULL, even one that would write nothing there
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: type=map_value_or_null expected=fp
// limits:   the long list behind "expected=" is of all that the helper would take
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct program_name {
    char comm[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, u32);
    __type(value, struct program_name);
} last SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    u32 uid = bpf_get_current_uid_gid();
    struct program_name *name = bpf_map_lookup_elem(&last, &uid);
#ifdef FIXED
    if (!name)
        return 0;
#endif
    bpf_get_current_comm(name->comm, sizeof(name->comm));  // <- rejected here
    return 0;
}

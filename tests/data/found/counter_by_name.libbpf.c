// SPDX-License-Identifier: GPL-2.0
// title:    A counter that may not be there yet
// teaches:  the mistake of parttimenerd/ebpf-verifier-errors issue 2
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid mem access 'map_value_or_null'
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct name {
    char comm[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, struct name);
    __type(value, u32);
} counts SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(void *ctx)
{
    struct name name = {};
    bpf_get_current_comm(name.comm, sizeof(name.comm));
    u32 *count = bpf_map_lookup_elem(&counts, &name);
    *count = *count + 1;  // <- rejected here
    return 0;
}

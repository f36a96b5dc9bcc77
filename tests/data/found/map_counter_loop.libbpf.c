// SPDX-License-Identifier: GPL-2.0
// title:    A loop that counts in a map
// teaches:  the mistake of bpftrace/bpftrace issue 4767
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: infinite loop detected
//           program is too large
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
} counters SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(void *ctx)
{
    u32 zero = 0;
    u64 *count = bpf_map_lookup_elem(&counters, &zero);
    if (!count)
        return 0;
    while (*(volatile u64 *)count < 1024)  // <- rejected here
        *(volatile u64 *)count += 1;
    return 0;
}

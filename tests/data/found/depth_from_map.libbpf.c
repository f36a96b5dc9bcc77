// SPDX-License-Identifier: GPL-2.0
// title:    A loop as long as a number in a map says
// teaches:  the mistake of anakryiko/retsnoop issue 79
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: infinite loop detected
//           program is too large
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct stack {
    u32 depth;
    u64 sum;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct stack);
} stacks SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(void *ctx)
{
    u32 zero = 0;
    volatile struct stack *stack = bpf_map_lookup_elem(&stacks, &zero);
    if (!stack)
        return 0;
    for (u32 at = 0; at < stack->depth; at++)  // <- rejected here
        stack->sum += at;
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    An index that is read once for the check and once more for the access
// teaches:  the mistake of google/ghost-userspace issue 31
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: math between map_value pointer and register with unbounded min value
//           unbounded memory access
//           makes map_value pointer be out of bounds
//           invalid access to map value
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct slots {
    u64 slots[16];
    u32 index;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct slots);
} states SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(void *ctx)
{
    u32 zero = 0;
    volatile struct slots *state = bpf_map_lookup_elem(&states, &zero);
    if (!state)
        return 0;
    if (state->index >= 16)
        return 0;
    state->slots[state->index] += 1;  // <- rejected here
    return 0;
}

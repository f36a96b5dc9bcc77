// SPDX-License-Identifier: GPL-2.0
// title:    An index that anyone may choose
// teaches:  what comes from a process can be any number, until the program has compared it
// attach:   tracepoint:syscalls:sys_enter_socket
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: math between map_value pointer and register with unbounded min value is not allowed
//           unbounded memory access
// limits:   a comparison with a variable does not do, unless the verifier knows that variable's range
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define TYPES 6

struct counts {
    u64 of_type[TYPES];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct counts);
} counts SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_socket")
int socket_enter(struct trace_event_raw_sys_enter *ctx)
{
    u32 zero = 0;
    struct counts *count = bpf_map_lookup_elem(&counts, &zero);
    if (!count)
        return 0;

    u64 type = ctx->args[1];  // of socket(family, type, protocol)
#ifdef FIXED
    if (type >= TYPES)
        return 0;
#endif
    count->of_type[type] += 1;  // <- rejected here
    return 0;
}

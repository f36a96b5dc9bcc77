// SPDX-License-Identifier: GPL-2.0
// title:    A pointer as argument of a function that stands alone
// teaches:  the mistake of our own: a subprogram without static
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid mem access 'mem_or_null'
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 sum;

__noinline int add(u64 *number)
{
    sum += *number;  // <- rejected here
    return 0;
}

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(struct trace_event_raw_sys_enter *ctx)
{
    u64 size = ctx->args[2];
    return add(&size);
}

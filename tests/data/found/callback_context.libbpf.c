// SPDX-License-Identifier: GPL-2.0
// title:    A callback that reads what it was not given
// teaches:  the mistake of our own: NULL as context of bpf_loop()
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid mem access
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 sum;

static int add(u32 turn, u64 *number)
{
    sum += *number;  // <- rejected here
    return 0;
}

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(void *ctx)
{
    bpf_loop(10, add, NULL, 0);
    return 0;
}

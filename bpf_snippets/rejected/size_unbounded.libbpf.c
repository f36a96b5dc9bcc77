// SPDX-License-Identifier: GPL-2.0
// title:    A size that nothing bounds
// teaches:  a helper's size must be known to fit before the call
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: unbounded memory access, use 'var &= const' or 'if (var < const)'
// limits:   that nobody ever sets the variable to more than 64 is a promise that the verifier cannot see
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

char text[64];
u32 wanted = 16;  // how much of what is written to look at: user space may change it

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(struct trace_event_raw_sys_enter *ctx)
{
    u64 size = wanted;
#ifdef FIXED
    if (size > sizeof(text))
        size = sizeof(text);
#endif
    bpf_probe_read_user(text, size, (void *)ctx->args[1]);  // <- rejected here
    return 0;
}

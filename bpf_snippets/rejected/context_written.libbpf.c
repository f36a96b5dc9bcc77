// SPDX-License-Identifier: GPL-2.0
// title:    An argument that the program changes
// teaches:  the context shows what happened; a tracing program does not alter it
// attach:   tracepoint:syscalls:sys_enter_openat
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid bpf_context access
// limits:   bpf_override_return() changes what some functions return, where the kernel allows it
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 writers;

SEC("tracepoint/syscalls/sys_enter_openat")
int open_enter(struct trace_event_raw_sys_enter *ctx)
{
    if (ctx->args[2] & 1) {  // O_WRONLY
#ifdef FIXED
        writers += 1;
#else
        ctx->args[2] = 0;  // <- rejected here
#endif
    }
    return 0;
}

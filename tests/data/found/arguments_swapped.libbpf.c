// SPDX-License-Identifier: GPL-2.0
// title:    Size and source the wrong way round
// teaches:  the mistake of our own: bpf_probe_read_user() called like strncpy()
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: R2 min value is negative
//           R2 unbounded memory access
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

char text[64];

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(struct trace_event_raw_sys_enter *ctx)
{
    bpf_probe_read_user(text, ctx->args[1], (void *)sizeof(text));  // <- rejected here
    return 0;
}

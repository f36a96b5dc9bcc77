// SPDX-License-Identifier: GPL-2.0
// title:    The length of a string, as the helper returned it
// teaches:  the mistake of iovisor/bcc issue 5251
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: R2 min value is negative
//           invalid access to memory
//           R2 unbounded memory access
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

char text[64], copy[64];

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(struct trace_event_raw_sys_enter *ctx)
{
    int length = bpf_probe_read_user_str(text, sizeof(text), (void *)ctx->args[1]);
    if (length > 63)
        return 0;
    bpf_probe_read_kernel(copy, length, text);  // <- rejected here
    return 0;
}

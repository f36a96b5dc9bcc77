// SPDX-License-Identifier: GPL-2.0
// title:    A size that may be zero
// teaches:  some helpers want at least one byte, and the verifier wants to see that there is one
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid zero-sized read
// limits:   most helpers that copy take a size of zero; old kernels learn nothing from a check for just zero
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 shells;

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(struct trace_event_raw_sys_enter *ctx)
{
    char comm[16] = {};
    bpf_get_current_comm(comm, sizeof(comm));
    u64 size = ctx->args[2];  // of write(fd, buffer, size)
    if (size > sizeof(comm))
        size = sizeof(comm);
#ifdef FIXED
    if (size < sizeof(comm))
        return 0;
#endif
    if (bpf_strncmp(comm, size, "sh") == 0)  // <- rejected here
        shells += 1;
    return 0;
}

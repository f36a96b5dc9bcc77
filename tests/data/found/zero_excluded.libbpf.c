// SPDX-License-Identifier: GPL-2.0
// title:    A size that is compared with zero alone
// teaches:  the mistake of an older repair of rejected/size_zero in this project
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid zero-sized read
//           6.12: accepted
//           6.18: accepted
//           7.2: accepted
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 shells;

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(struct trace_event_raw_sys_enter *ctx)
{
    char comm[16];
    bpf_get_current_comm(comm, sizeof(comm));
    u64 size = ctx->args[2];
    if (size > sizeof(comm))
        size = sizeof(comm);
    if (size == 0)
        return 0;
    if (bpf_strncmp(comm, size, "sh") == 0)  // <- rejected here
        shells += 1;
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A whole record, copied to where its last part belongs
// teaches:  the mistake of sched-ext/scx issue 810
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid access to map value, value_size=
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct parts {
    char part[8][64];
} parts;

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(struct trace_event_raw_sys_enter *ctx)
{
    u64 which = ctx->args[0] & 7;
    bpf_probe_read_user(parts.part[which], sizeof(parts), (void *)ctx->args[1]);  // <- rejected here
    return 0;
}

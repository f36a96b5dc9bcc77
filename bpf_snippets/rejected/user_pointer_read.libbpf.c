// SPDX-License-Identifier: GPL-2.0
// title:    A pointer of the traced process
// teaches:  a process's memory is copied by bpf_probe_read_user(), never read through its pointer
// attach:   tracepoint:syscalls:sys_enter_openat
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid mem access 'scalar'
// limits:   the copy fails where the page is not in memory: look at what the helper returns
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 absolute;

SEC("tracepoint/syscalls/sys_enter_openat")
int open_enter(struct trace_event_raw_sys_enter *ctx)
{
    const char *name = (const char *)ctx->args[1];
#ifdef FIXED
    char first = 0;
    bpf_probe_read_user(&first, sizeof(first), name);
#else
    char first = name[0];  // <- rejected here
#endif
    if (first == '/')
        absolute += 1;
    return 0;
}

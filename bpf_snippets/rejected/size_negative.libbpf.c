// SPDX-License-Identifier: GPL-2.0
// title:    A size that may be negative
// teaches:  sizes are unsigned: a negative one is an enormous one
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: min value is negative, either use unsigned or 'var &= const'
// limits:   an error that a helper returned is negative, too, and often becomes the next helper's size
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

char text[64];

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(struct trace_event_raw_sys_enter *ctx)
{
#ifdef FIXED
    u64 size = ctx->args[2];  // of write(fd, buffer, size)
#else
    s64 size = ctx->args[2];  // of write(fd, buffer, size)
#endif
    if (size > 64)
        size = 64;
    bpf_probe_read_user(text, size, (void *)ctx->args[1]);  // <- rejected here
    return 0;
}

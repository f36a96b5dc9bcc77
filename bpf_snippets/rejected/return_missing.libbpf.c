// SPDX-License-Identifier: GPL-2.0
// title:    A program without a result
// teaches:  every path ends with a return: register 0 holds the result, and must have been written
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: R0 !read_ok
// limits:   where a helper was called last, its result is in register 0 and becomes the program's
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 calls;

SEC("raw_tracepoint/sys_enter")
int count(void *ctx)
{
    calls += 1;
#ifdef FIXED
    return 0;
#endif
}  // <- rejected here

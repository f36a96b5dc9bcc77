// SPDX-License-Identifier: GPL-2.0
// title:    A helper that this kernel does not have
// teaches:  a helper is called by its number; an older kernel knows fewer of them
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: invalid func unknown#9999
// limits:   the number is made up; what newer kernels add today are kfuncs, which are found by name
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#ifdef FIXED
#define bpf_of_tomorrow bpf_ktime_get_ns
#else
static u64 (*bpf_of_tomorrow)(void) = (void *)9999;
#endif

u64 last;

SEC("raw_tracepoint/sys_enter")
int enter(void *ctx)
{
    last = bpf_of_tomorrow();  // <- rejected here
    return 0;
}

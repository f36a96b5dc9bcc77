// SPDX-License-Identifier: GPL-2.0
// title:    A variable that one path leaves unset
// teaches:  a local variable has no value until the program gives it one
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: accepted
//           6.1: invalid read from stack
// limits:   since 6.3 privileged programs may read what they never wrote: the sum is then nonsense
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 sum;

SEC("raw_tracepoint/sys_enter")
int add(u64 *ctx)
{
    // Without volatile the compiler invents a value, or leaves out what depends on it.
#ifdef FIXED
    volatile u64 addend = 0;
#else
    volatile u64 addend;
#endif
    if (ctx[1] > 100)
        addend = ctx[1];
    sum += addend;  // <- rejected here
    return 0;
}

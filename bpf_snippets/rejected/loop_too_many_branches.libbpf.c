// SPDX-License-Identifier: GPL-2.0
// title:    A loop with a choice in each turn
// teaches:  each branch is a path to walk later, and the verifier keeps 8192 of them
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: The sequence of 8193 jumps is too complex
// limits:   how many turns are too many depends on the branches in each, and on the kernel
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#ifdef FIXED
#define TURNS 100
#else
#define TURNS 10000
#endif

u64 odd;

SEC("raw_tracepoint/sys_enter")
int add(void *ctx)
{
    for (u32 turn = 0; turn < TURNS; turn++)  // <- rejected here
        if (bpf_get_prandom_u32() & 1)
            odd += turn;
    return 0;
}

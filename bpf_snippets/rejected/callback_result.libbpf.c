// SPDX-License-Identifier: GPL-2.0
// title:    A loop body that returns the wrong number
// teaches:  the function given to bpf_loop() returns 0 to go on and 1 to stop
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: At callback return the register R0 has
// limits:   bpf_loop() itself returns how many turns there were
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 sum;

static int add(u32 turn, void *unused)
{
    sum += turn;
#ifdef FIXED
    return 0;
#else
    return turn;  // <- rejected here
#endif
}

SEC("raw_tracepoint/sys_enter")
int enter(void *ctx)
{
    bpf_loop(100, add, NULL, 0);
    return 0;
}

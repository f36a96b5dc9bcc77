// SPDX-License-Identifier: GPL-2.0
// title:    A loop with too many turns
// teaches:  the verifier walks through each turn, and gives up after a million instructions
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: BPF program is too large. Processed 1000001 insn
// limits:   bpf_loop() takes the body once, whatever the number of turns; it is there since 5.17
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#ifdef FIXED
#define TURNS 100
#else
#define TURNS 1000000
#endif

u64 sum;

SEC("raw_tracepoint/sys_enter")
int add(void *ctx)
{
    for (u32 turn = 0; turn < TURNS; turn++)  // <- rejected here
        sum += bpf_ktime_get_ns() ^ turn;
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A loop that waits
// teaches:  a program cannot wait for another: the verifier wants to see that each loop ends
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: infinite loop detected
// limits:   found where a turn changes nothing that the verifier keeps; else it counts turns to a million
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

volatile u32 ready;

SEC("raw_tracepoint/sys_enter")
int wait(void *ctx)
{
#ifdef FIXED
    for (int turn = 0; turn < 16 && !ready; turn++)
        ;
#else
    while (!ready)  // <- rejected here
        ;
#endif
    return 0;
}

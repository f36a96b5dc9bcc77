// SPDX-License-Identifier: GPL-2.0
// title:    A setting that the program changes
// teaches:  const volatile variables are settings: fixed once the program is loaded
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: write into map forbidden
// limits:   the compiler refuses a plain assignment; a cast gets past it
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#ifdef FIXED
volatile u32 remaining = 100;
#else
const volatile u32 remaining = 100;
#endif

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    if (remaining)
        *(volatile u32 *)&remaining -= 1;  // <- rejected here
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A text that must be a constant
// teaches:  formats, and what bpf_strncmp() compares with, lie in read-only memory
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: type=fp expected=map_value
// limits:   a text that user space chooses goes into a const volatile variable
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 shells;

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    char comm[16] = {};
    bpf_get_current_comm(comm, sizeof(comm));
#ifdef FIXED
    static const char wanted[] = "bash";
#else
    char wanted[] = "bash";
#endif
    if (bpf_strncmp(comm, sizeof(comm), wanted) == 0)  // <- rejected here
        shells += 1;
    return 0;
}

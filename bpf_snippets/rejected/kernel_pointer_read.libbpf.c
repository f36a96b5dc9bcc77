// SPDX-License-Identifier: GPL-2.0
// title:    A kernel pointer that has no type
// teaches:  a raw tracepoint's arguments are numbers; tp_btf gives them their types
// attach:   rawtracepoint:sched_process_exec
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: invalid mem access 'scalar'
// limits:   BPF_CORE_READ copies, and gives 0 where nothing can be read
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 kernel_threads;

SEC("raw_tracepoint/sched_process_exec")
int exec_seen(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx->args[0];
#ifdef FIXED
    u32 flags = BPF_CORE_READ(task, flags);
#else
    u32 flags = task->flags;  // <- rejected here
#endif
    if (flags & 0x00200000)  // PF_KTHREAD
        kernel_threads += 1;
    return 0;
}

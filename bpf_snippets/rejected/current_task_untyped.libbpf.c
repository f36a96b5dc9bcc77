// SPDX-License-Identifier: GPL-2.0
// title:    The current task as a number
// teaches:  bpf_get_current_task() returns a number, bpf_get_current_task_btf() a pointer with its type
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: invalid mem access 'scalar'
// limits:   BPF_CORE_READ reads through either of them
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u32 last_parent;

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
#ifdef FIXED
    struct task_struct *task = bpf_get_current_task_btf();
#else
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
#endif
    last_parent = task->real_parent->tgid;  // <- rejected here
    return 0;
}

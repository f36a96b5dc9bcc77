// SPDX-License-Identifier: GPL-2.0
// title:    A reference to what the kernel does not vouch for
// teaches:  the mistake of our own: bpf_task_acquire() of a pointer from memory
// attach:   tp_btf:sched_process_exec
// needs:    tp_btf, btf, clang, libbpf
// expect-reject: must be referenced or trusted
//           must be a rcu pointer
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

u64 last;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_seen, struct task_struct *task)
{
    struct task_struct *leader = task->parent;
    struct task_struct *kept = bpf_task_acquire(leader);  // <- rejected here
    if (!kept)
        return 0;
    last = kept->tgid;
    bpf_task_release(kept);
    return 0;
}

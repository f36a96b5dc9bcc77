// SPDX-License-Identifier: GPL-2.0
// title:    A change to the kernel's own data
// teaches:  programs look at the kernel's structs, and change none of them
// attach:   tp_btf:sched_process_exec
// needs:    tp_btf, btf, clang, libbpf
// expect-reject: only read is supported
// limits:   a few fields of network structs may be written by programs made for that
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

int last_nice;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_seen, struct task_struct *task)
{
#ifdef FIXED
    last_nice = task->static_prio - 120;
#else
    task->static_prio = 120;  // <- rejected here
#endif
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    Arguments where only a context is
// teaches:  a program is called with one argument, the context; BPF_PROG and its kin unpack it
// attach:   tp_btf:sched_process_fork
// needs:    tp_btf, btf, clang, libbpf
// expect-reject: R2 !read_ok
// limits:   the first argument is the context, whatever it is called: using only that may well be accepted
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

int last_child;

SEC("tp_btf/sched_process_fork")
#ifdef FIXED
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
#else
int forked(struct task_struct *parent, struct task_struct *child)
#endif
{
    last_child = child->pid;  // <- rejected here
    return 0;
}

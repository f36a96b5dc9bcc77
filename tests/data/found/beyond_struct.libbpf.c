// SPDX-License-Identifier: GPL-2.0
// title:    A struct that was longer on another kernel
// teaches:  the mistake of our own: an offset instead of a field
// attach:   tp_btf:sched_process_exec
// needs:    tp_btf, btf, clang, libbpf
// expect-reject: access beyond struct task_struct
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

u64 last;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_seen, struct task_struct *task)
{
    last = ((u64 *)task)[4000];  // <- rejected here
    return 0;
}

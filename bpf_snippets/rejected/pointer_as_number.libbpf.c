// SPDX-License-Identifier: GPL-2.0
// title:    Arithmetic with an address
// teaches:  only sums of pointers and bounded numbers are pointers; nothing else may be done to them
// attach:   tp_btf:sched_process_exec
// needs:    tp_btf, btf, clang, libbpf
// expect-reject: pointer arithmetic with >>= operator prohibited
// limits:   stored in a map a pointer is a number; whoever reads the map learns a kernel address
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

u64 of_bucket[16];

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_seen, struct task_struct *task)
{
#ifdef FIXED
    of_bucket[task->pid & 15] += 1;
#else
    of_bucket[((u64)task >> 6) & 15] += 1;  // <- rejected here
#endif
    return 0;
}

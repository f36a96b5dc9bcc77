// SPDX-License-Identifier: GPL-2.0
// title:    One argument more than the event has
// teaches:  the mistake of our own: arguments guessed for a tracepoint
// attach:   tp_btf:sched_process_exec
// needs:    tp_btf, btf, clang, libbpf
// expect-reject: invalid bpf_context access off=24
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

u64 last;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_seen, struct task_struct *task, pid_t old, struct linux_binprm *program, u64 flags)  // <- rejected here
{
    last = flags;
    return 0;
}

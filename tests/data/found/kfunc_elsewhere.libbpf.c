// SPDX-License-Identifier: GPL-2.0
// title:    A kernel function that other programs have
// teaches:  the mistake of our own: bpf_xdp_metadata_rx_hash() in a tracepoint
// attach:   tp_btf:sched_process_exec
// needs:    tp_btf, btf, clang, libbpf
// expect-reject: is not allowed
//           6.1: CO-RE relocation
//           6.1: accepted
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

extern void bpf_rcu_read_lock(void) __ksym;
extern int bpf_sock_destroy(struct sock_common *sock) __ksym;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_seen, struct task_struct *task)
{
    bpf_sock_destroy((struct sock_common *)task);  // <- rejected here
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A field that moved within its struct
// teaches:  the mistake of microsoft/SysmonForLinux issue 202
// attach:   tp_btf:sched_process_exec
// needs:    tp_btf, btf, clang, libbpf
// expect-reject: CO-RE relocation
//           6.1: accepted
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "GPL";

struct inode___older {
    struct timespec64 i_atime;
} __attribute__((preserve_access_index));

u64 accessed;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_seen, struct task_struct *task, pid_t old, struct linux_binprm *program)
{
    struct inode___older *inode = (void *)program->file->f_inode;
    accessed = BPF_CORE_READ(inode, i_atime.tv_sec);  // <- rejected here
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A walk from parent to parent, until the first process
// teaches:  the mistake of iovisor/bcc issue 3638
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: infinite loop detected
//           back-edge
//           program is too large
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "GPL";

u64 depth;

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    while (BPF_CORE_READ(task, tgid) != 1) {  // <- rejected here
        task = BPF_CORE_READ(task, real_parent);
        depth += 1;
    }
    return 0;
}

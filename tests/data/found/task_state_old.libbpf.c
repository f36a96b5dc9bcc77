// SPDX-License-Identifier: GPL-2.0
// title:    A field that got another name
// teaches:  the mistake of tanelpoder/0xtools pull request 55
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: CO-RE relocation
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "GPL";

struct task_struct___older {
    long state;
} __attribute__((preserve_access_index));

long state;

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    struct task_struct___older *task = (void *)bpf_get_current_task();
    state = BPF_CORE_READ(task, state);  // <- rejected here
    return 0;
}

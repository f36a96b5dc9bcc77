// SPDX-License-Identifier: GPL-2.0
// title:    A field as newer kernels have it
// teaches:  the mistake of facebookincubator/below issue 8220
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: CO-RE relocation
//           6.12: accepted
//           6.18: accepted
//           7.2: accepted
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "GPL";

struct percpu_counter___newer {
    s64 count;
} __attribute__((preserve_access_index));

struct mm_struct___newer {
    struct percpu_counter___newer rss_stat[4];
} __attribute__((preserve_access_index));

s64 pages;

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct mm_struct___newer *memory = (void *)BPF_CORE_READ(task, mm);
    pages = BPF_CORE_READ(memory, rss_stat[0].count);  // <- rejected here
    return 0;
}

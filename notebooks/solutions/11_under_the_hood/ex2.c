//%%bpf -o ex2 --only -- /bin/sh -c '/bin/true; /bin/uname'
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    u64 ts;
    u32 pid;
    u32 parent;
    char parent_comm[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int started(void *ctx)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    struct event event = {.ts = bpf_ktime_get_ns(), .pid = BPF_CORE_READ(task, tgid)};
    event.parent = BPF_CORE_READ(task, real_parent, tgid);
    BPF_CORE_READ_STR_INTO(&event.parent_comm, task, real_parent, comm);
    bpf_ringbuf_output(&events, &event, sizeof(event), 0);
    return 0;
}

//%%bpf -o ex1 --only -- sh -c '/bin/true; /no/such/program; /bin/uname'
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    u64 ts;
    u32 pid;
    char comm[16];
};

// One buffer that all CPUs share, so that events arrive in order. Its size is in bytes.
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int exec_enter(void *ctx)
{
    // Memory inside the buffer itself: nothing is copied later.
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)  // NULL when the buffer is full: this event is lost, and counted
        return 0;

    event->ts = bpf_ktime_get_ns();
    // The upper half is what user space calls the process id, the lower half the thread id.
    event->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(event->comm, sizeof(event->comm));

    // From here on the reader sees it. Every reserved event must be submitted or discarded.
    bpf_ringbuf_submit(event, 0);
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    Every execve() through a ring buffer
// teaches:  tracepoint, ring buffer: reserve, fill, submit
// attach:   tracepoint:syscalls:sys_enter_execve
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// workload: i=0; while [ $i -lt 23 ]; do /bin/true; i=$((i + 1)); done
// emits:    ts u64 | pid u32 | comm str
// expect:   rows == 23 where comm == "sh"
// limits:   comm is still the caller's name: the new one is set once execve() succeeds; misses execveat()
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

SEC("tracepoint/syscalls/sys_enter_execve")
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

// SPDX-License-Identifier: GPL-2.0
// title:    Every execve() through a ring buffer
// teaches:  tracepoint, ring buffer: reserve, fill, submit
// attach:   tracepoint:syscalls:sys_enter_execve
// needs:    tracepoint, ringbuf, bcc, headers
// workload: i=0; while [ $i -lt 23 ]; do /bin/true; i=$((i + 1)); done
// emits:    ts u64 | pid u32 | comm str
// expect:   rows == 23 where comm == "sh"
// limits:   comm is still the caller's name: the new one is set once execve() succeeds; misses execveat()

struct event {
    u64 ts;
    u32 pid;
    char comm[16];
};

// One buffer that all CPUs share, so that events arrive in order. Its size is in pages of 4096 bytes.
BPF_RINGBUF_OUTPUT(events, 64);

TRACEPOINT_PROBE(syscalls, sys_enter_execve)
{
    // Memory inside the buffer itself: nothing is copied later.
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event)  // NULL when the buffer is full: this event is lost, and counted
        return 0;

    event->ts = bpf_ktime_get_ns();
    // The upper half is what user space calls the process id, the lower half the thread id.
    event->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(event->comm, sizeof(event->comm));

    // From here on the reader sees it. Every reserved event must be submitted or discarded.
    events.ringbuf_submit(event, 0);
    return 0;
}

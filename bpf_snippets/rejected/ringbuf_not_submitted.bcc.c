// SPDX-License-Identifier: GPL-2.0
// title:    A record that is forgotten
// teaches:  what is reserved must be submitted or discarded on every path
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, ringbuf, bcc, headers
// expect-reject: Unreleased reference
// limits:   better look before reserving: a discarded record takes up room until the reader comes to it
struct event {
    u32 pid;
};

BPF_RINGBUF_OUTPUT(events, 1);

TRACEPOINT_PROBE(sched, sched_process_exec)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event)
        return 0;
    event->pid = bpf_get_current_pid_tgid() >> 32;
    if (event->pid == 1) {  // <- rejected here
#ifdef FIXED
        events.ringbuf_discard(event, 0);
#endif
        return 0;
    }
    events.ringbuf_submit(event, 0);
    return 0;
}

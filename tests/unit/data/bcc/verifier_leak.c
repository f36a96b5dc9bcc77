struct event { u32 pid; };
BPF_RINGBUF_OUTPUT(events, 8);
TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event)
        return 0;
    event->pid = args->dfd;
    if (event->pid == 7)
        return 0;
    events.ringbuf_submit(event, 0);
    return 0;
}

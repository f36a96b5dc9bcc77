struct event { u32 pid; };
BPF_RINGBUF_OUTPUT(events, 8);
TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    event->pid = args->dfd;
    events.ringbuf_submit(event, 0);
    return 0;
}

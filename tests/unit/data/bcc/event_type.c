BPF_PERF_OUTPUT(events);
int kprobe__do_exit(void *ctx)
{
    struct local { u32 pid; } event = {};
    events.perf_submit(ctx, &event, sizeof(event));
    return 0;
}

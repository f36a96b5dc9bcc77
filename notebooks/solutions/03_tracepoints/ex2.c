//%%bpf -o ex2 --only -- sh -c '( : ); ( : )'
struct event {
    u64 ts;
    u32 pid;
    u32 parent;
    u32 child;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("tracepoint/sched/sched_process_fork")
int forked(struct trace_event_raw_sched_process_fork *ctx)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->parent = ctx->parent_pid;
    event->child = ctx->child_pid;
    bpf_ringbuf_submit(event, 0);
    return 0;
}

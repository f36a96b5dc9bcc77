//%%bpf -o ex1 --only -- sh -c 'kill -0 $$; kill -23 $$; kill -17 $$'
struct event {
    u64 ts;
    u32 pid;
    u32 number;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_kill")
int sent(struct trace_event_raw_sys_enter *ctx)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->number = ctx->args[1];
    bpf_ringbuf_submit(event, 0);
    return 0;
}

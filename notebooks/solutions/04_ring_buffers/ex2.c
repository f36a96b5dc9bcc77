//%%bpf -o ex2 --only -- /usr/bin/python3 -c "import os; [os.lseek(0, i, 0) for i in range(7)]"
struct event {
    u64 ts;
    u32 pid;
    s32 offset;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 64 * 1024);
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_lseek")
int sought(struct trace_event_raw_sys_enter *ctx)
{
    if (ctx->args[0] != 0 || ctx->args[2] != 0)
        return 0;
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->offset = ctx->args[1];
    if (event->offset % 2)
        bpf_ringbuf_submit(event, 0);
    else
        bpf_ringbuf_discard(event, 0);
    return 0;
}

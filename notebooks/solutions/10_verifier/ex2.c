//%%bpf -o ex2 --only -- sh -c 'echo hello; echo a line that is far longer than twenty-seven bytes'
struct event {
    u64 ts;
    u32 pid;
    char text[28];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 64 * 1024);
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(struct trace_event_raw_sys_enter *ctx)
{
    u64 size = ctx->args[2];
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    __builtin_memset(event, 0, sizeof(*event));
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    if (size > sizeof(event->text) - 1)
        size = sizeof(event->text) - 1;
    bpf_probe_read_user(event->text, size, (void *)ctx->args[1]);
    bpf_ringbuf_submit(event, 0);
    return 0;
}

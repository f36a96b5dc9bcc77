//%%bpf -o ex1 --only -- /usr/bin/python3 -c "import os; os.lseek(0, 1500, 0)"
struct event {
    u64 ts;
    u32 pid;
    s32 number;
    char comm[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_lseek")
int burst(struct trace_event_raw_sys_enter *ctx)
{
    u64 count = ctx->args[1];
    if (ctx->args[0] != 0)
        return 0;
    for (int i = 0; i < 4096 && i < count; i++) {
        struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
        if (!event)
            continue;
        event->ts = bpf_ktime_get_ns();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->number = i;
        bpf_get_current_comm(event->comm, sizeof(event->comm));
        bpf_ringbuf_submit(event, 0);
    }
    return 0;
}

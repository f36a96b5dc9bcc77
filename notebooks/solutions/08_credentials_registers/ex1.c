//%%bpf -o ex1 --only -- /usr/bin/python3 -c "import os; zero = os.open('/dev/zero', os.O_RDONLY); [os.read(zero, n) for n in (2305, 2307)]"
struct event {
    u64 ts;
    u32 pid;
    u64 asked;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("kprobe/vfs_read")
int reading(struct pt_regs *ctx)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->asked = PT_REGS_PARM3(ctx);
    bpf_ringbuf_submit(event, 0);
    return 0;
}

//%%bpf -o ex2 --only -- /usr/bin/python3 -c "import os; name = os.open('/etc/hostname', os.O_RDONLY); [os.read(name, n) for n in (2305, 2307)]"
struct event {
    u64 ts;
    u32 pid;
    u64 asked;
    long came;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("fexit/vfs_read")
int BPF_PROG(reading, struct file *file, char *buffer, size_t count, loff_t *position, long came)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->asked = count;
    event->came = came;
    bpf_ringbuf_submit(event, 0);
    return 0;
}

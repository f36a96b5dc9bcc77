//%%bpf -o ex1 --only -- /usr/bin/python3 -c "import ctypes; [ctypes.CDLL(None).atoi(text) for text in (b'23', b'-29', b'x')]"
struct event {
    u64 ts;
    u32 pid;
    int number;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("uretprobe/libc:atoi")
int BPF_KRETPROBE(answered, int number)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->number = number;
    bpf_ringbuf_submit(event, 0);
    return 0;
}

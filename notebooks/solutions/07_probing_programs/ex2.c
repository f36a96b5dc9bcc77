//%%bpf -o ex2 --only -- /bin/ls
struct event {
    u64 ts;
    u32 pid;
    char name[64];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("uprobe.s/libc:getenv")
int BPF_KPROBE(asked, const char *name)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->name[0] = 0;
    bpf_copy_from_user(event->name, sizeof(event->name), name);
    bpf_ringbuf_submit(event, 0);
    return 0;
}

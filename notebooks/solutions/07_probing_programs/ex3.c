//%%bpf -o ex3 --only -- /bin/ls
struct event {
    u64 ts;
    u32 pid;
    u32 found;
    char name[64];
};

// The name that each thread asks for: where it is. By the return, getenv itself has read it.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, u64);
} asking SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("uprobe/libc:getenv")
int BPF_KPROBE(asked, const char *name)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 address = (u64)name;
    bpf_map_update_elem(&asking, &thread, &address, BPF_ANY);
    return 0;
}

SEC("uretprobe/libc:getenv")
int BPF_KRETPROBE(answered, u64 value)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 *address = bpf_map_lookup_elem(&asking, &thread);
    if (!address)  // it began before the trace did
        return 0;
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->found = value != 0;
        event->name[0] = 0;
        bpf_probe_read_user_str(event->name, sizeof(event->name), (void *)*address);
        bpf_ringbuf_submit(event, 0);
    }
    bpf_map_delete_elem(&asking, &thread);
    return 0;
}

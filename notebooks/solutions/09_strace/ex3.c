//%%bpf -o ex3 --only -- /bin/cat /no/such /etc/hostname
struct event {
    u64 ts;
    u32 pid;
    s64 ret;
    char file[256];
};

// Where the name is that each thread is opening.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, u64);
} begun SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_openat")
int entered(struct trace_event_raw_sys_enter *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 address = ctx->args[1];
    bpf_map_update_elem(&begun, &thread, &address, BPF_ANY);
    return 0;
}

SEC("tracepoint/syscalls/sys_exit_openat")
int returned(struct trace_event_raw_sys_exit *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 *known = bpf_map_lookup_elem(&begun, &thread);
    if (!known)  // it began before the trace did
        return 0;
    u64 address = *known;
    bpf_map_delete_elem(&begun, &thread);
    if (ctx->ret >= 0)
        return 0;
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->ret = ctx->ret;
    // The kernel has read the name by now, so it is in memory.
    bpf_probe_read_user_str(event->file, sizeof(event->file), (void *)address);
    bpf_ringbuf_submit(event, 0);
    return 0;
}

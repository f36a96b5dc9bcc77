//%%bpf -o ex1 --only -- /usr/bin/python3 -c "import socket; socket.socketpair(); socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)"
struct event {
    u64 ts;
    u32 pid;
    char letter[2];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 64 * 1024);
} events SEC(".maps");

char letters[6] = {'?', 's', 'd', 'r', 'm', 'q'};

SEC("tracepoint/syscalls/sys_enter_socket")
int socket_enter(struct trace_event_raw_sys_enter *ctx)
{
    u64 type = ctx->args[1] & 0xf;  // above these bits there are flags
    if (type >= sizeof(letters))
        return 0;
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->letter[0] = letters[type];
    event->letter[1] = 0;
    bpf_ringbuf_submit(event, 0);
    return 0;
}

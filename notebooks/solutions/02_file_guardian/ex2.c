//%%bpf -o ex2 --only -- /usr/bin/python3 -I -c "import ctypes; how = (ctypes.c_uint64 * 3)(1); ctypes.CDLL(None).syscall(437, -100, b'/dev/null', how, 24)"
struct event {
    u64 ts;
    u32 pid;
    int flags;
    char filename[128];
};

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __type(key, u32);
    __type(value, u32);
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_openat")
int open_enter(struct trace_event_raw_sys_enter *ctx)
{
    struct event event = {};
    event.ts = bpf_ktime_get_ns();
    event.pid = bpf_get_current_pid_tgid() >> 32;
    event.flags = ctx->args[2];
    bpf_probe_read_user_str(event.filename, sizeof(event.filename), (void *)ctx->args[1]);
    bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &event, sizeof(event));
    return 0;
}

SEC("tracepoint/syscalls/sys_enter_openat2")
int open2_enter(struct trace_event_raw_sys_enter *ctx)
{
    struct event event = {};
    struct open_how *how = (void *)ctx->args[2];
    u64 flags = 0;
    bpf_probe_read_user(&flags, sizeof(flags), &how->flags);
    event.ts = bpf_ktime_get_ns();
    event.pid = bpf_get_current_pid_tgid() >> 32;
    event.flags = flags;
    bpf_probe_read_user_str(event.filename, sizeof(event.filename), (void *)ctx->args[1]);
    bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &event, sizeof(event));
    return 0;
}

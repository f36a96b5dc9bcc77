//%%bpf -o ex1 --only -- sh -c 'f=$(mktemp); : < $f; : >> $f; : <> $f; rm $f'
#define O_RDONLY 0

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
    if ((ctx->args[2] & 3) == O_RDONLY)
        return 0;
    event.ts = bpf_ktime_get_ns();
    event.pid = bpf_get_current_pid_tgid() >> 32;
    event.flags = ctx->args[2];
    bpf_probe_read_user_str(event.filename, sizeof(event.filename), (void *)ctx->args[1]);
    bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &event, sizeof(event));
    return 0;
}

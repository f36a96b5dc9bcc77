//%%bpf -o ex2 --only -- sh -c '/bin/true; /no/such; :'
struct call {
    char file[128];
};

struct event {
    u64 ts;
    u32 pid;
    int ret;
    char file[128];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

// By task: the thread's number may be another one when the call returns.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u64);
    __type(value, struct call);
} calls SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_execve")
int execve_enter(struct trace_event_raw_sys_enter *ctx)
{
    u64 task = bpf_get_current_task();
    struct call call = {};
    bpf_probe_read_user_str(call.file, sizeof(call.file), (void *)ctx->args[0]);
    bpf_map_update_elem(&calls, &task, &call, BPF_ANY);
    return 0;
}

SEC("tracepoint/syscalls/sys_exit_execve")
int execve_exit(struct trace_event_raw_sys_exit *ctx)
{
    u64 task = bpf_get_current_task();
    struct call *call = bpf_map_lookup_elem(&calls, &task);
    if (!call)
        return 0;
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->ret = ctx->ret;
        __builtin_memcpy(event->file, call->file, sizeof(event->file));
        bpf_ringbuf_submit(event, 0);
    }
    bpf_map_delete_elem(&calls, &task);
    return 0;
}

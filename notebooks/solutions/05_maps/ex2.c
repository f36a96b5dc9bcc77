//%%bpf -o ex2 -- /usr/bin/python3 -c "import os; os.dup2(os.open('/etc/hostname', os.O_RDONLY), 923); os.read(923, 65536)"
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, u64);
    __type(value, u64);
} bytes SEC(".maps");

// Which file each thread is reading from.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, u64);
} reading SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_read")
int read_enter(struct trace_event_raw_sys_enter *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 file = ctx->args[0];
    bpf_map_update_elem(&reading, &thread, &file, BPF_ANY);
    return 0;
}

SEC("tracepoint/syscalls/sys_exit_read")
int read_exit(struct trace_event_raw_sys_exit *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 *remembered = bpf_map_lookup_elem(&reading, &thread);
    if (!remembered)  // it began before the trace did
        return 0;
    u64 file = *remembered;
    bpf_map_delete_elem(&reading, &thread);
    if (ctx->ret <= 0)
        return 0;
    u64 size = ctx->ret, *sum = bpf_map_lookup_elem(&bytes, &file);
    if (sum)
        __sync_fetch_and_add(sum, size);
    else
        bpf_map_update_elem(&bytes, &file, &size, BPF_NOEXIST);
    return 0;
}

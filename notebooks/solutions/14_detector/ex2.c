//%%bpf -o ex2 --only -- sh -c 'cat no/1 no/2 no/3 no/4 no/5 no/6'
struct event {
    u64 ts;
    u32 pid;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 18);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);  // processes come and go without end
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, u64);
} tries SEC(".maps");

SEC("tracepoint/syscalls/sys_exit_openat")
int failed(struct trace_event_raw_sys_exit *ctx)
{
    if (ctx->ret >= 0)
        return 0;
    u32 process = bpf_get_current_pid_tgid() >> 32;
    u64 one = 1, *count = bpf_map_lookup_elem(&tries, &process);
    if (!count) {
        bpf_map_update_elem(&tries, &process, &one, BPF_NOEXIST);
        return 0;
    }
    if (__sync_fetch_and_add(count, 1) + 1 != 5)
        return 0;
    struct event event = {.ts = bpf_ktime_get_ns(), .pid = process};
    bpf_ringbuf_output(&events, &event, sizeof(event), 0);
    return 0;
}

//%%bpf -o ex2 --only -- /usr/bin/python3 -c "import time; [time.sleep(each) for each in (0.001, 0.05, 0.002)]"
struct event {
    u64 duration_ns;
    u32 pid;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 18);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, u64);
} begun SEC(".maps");

const u64 slow = 40000000;  // nanoseconds

SEC("tracepoint/syscalls/sys_enter_clock_nanosleep")
int falls_asleep(void *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 now = bpf_ktime_get_ns();
    bpf_map_update_elem(&begun, &thread, &now, BPF_ANY);
    return 0;
}

SEC("tracepoint/syscalls/sys_exit_clock_nanosleep")
int wakes_up(void *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 *began = bpf_map_lookup_elem(&begun, &thread);
    if (!began)
        return 0;
    struct event event = {.pid = bpf_get_current_pid_tgid() >> 32};
    event.duration_ns = bpf_ktime_get_ns() - *began;
    bpf_map_delete_elem(&begun, &thread);
    if (event.duration_ns < slow)
        return 0;
    bpf_ringbuf_output(&events, &event, sizeof(event), 0);
    return 0;
}

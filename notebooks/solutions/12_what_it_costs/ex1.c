//%%bpf -o ex1 --only -- /usr/bin/python3 -c "import os; [os.getppid() for _ in range(5000)]"
struct event {
    u64 ts;
    u32 pid;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_getppid")
int some(void *ctx)
{
    if (bpf_get_prandom_u32() % 16)
        return 0;
    struct event event = {.ts = bpf_ktime_get_ns(), .pid = bpf_get_current_pid_tgid() >> 32};
    bpf_ringbuf_output(&events, &event, sizeof(event), 0);
    return 0;
}

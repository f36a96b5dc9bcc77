//%%bpf -o ex1 --only -- /bin/sh -c '/bin/true; /bin/uname'
struct task_struct___mine {
    int tgid;
} __attribute__((preserve_access_index));

struct event {
    u64 ts;
    u32 pid;
    u32 read;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int started(void *ctx)
{
    struct task_struct___mine *task = (void *)bpf_get_current_task();
    struct event event = {.ts = bpf_ktime_get_ns(), .pid = bpf_get_current_pid_tgid() >> 32};
    bpf_probe_read_kernel(&event.read, sizeof(event.read), &task->tgid);
    bpf_ringbuf_output(&events, &event, sizeof(event), 0);
    return 0;
}

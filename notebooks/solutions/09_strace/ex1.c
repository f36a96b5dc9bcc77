//%%bpf -o ex1 -- /usr/bin/python3 -c "import os, threading; threading.Thread(target=os.lseek, args=(0, 12345, 0)).start()"
struct event {
    u64 ts;
    u32 pid;
    u32 tid;
    u64 offset;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, u32);
    __type(value, u32);
} followed SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("tracepoint/sched/sched_process_fork")
int born(struct trace_event_raw_sched_process_fork *ctx)
{
    u32 parent = bpf_get_current_pid_tgid(), child = ctx->child_pid, role = 2;
    u32 *known = bpf_map_lookup_elem(&followed, &parent);
    if (known && *known == 1)
        bpf_map_update_elem(&followed, &child, &role, BPF_ANY);
    return 0;
}

SEC("tracepoint/syscalls/sys_enter_lseek")
int sought(struct trace_event_raw_sys_enter *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    u32 who = id >> 32;
    u32 *role = bpf_map_lookup_elem(&followed, &who);
    if (!role || *role != 2)
        return 0;
    struct event event = {.ts = bpf_ktime_get_ns(), .pid = id >> 32, .tid = id};
    event.offset = ctx->args[1];
    bpf_ringbuf_output(&events, &event, sizeof(event), 0);
    return 0;
}

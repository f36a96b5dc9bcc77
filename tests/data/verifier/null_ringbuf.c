// reject: R\d invalid mem access '(ringbuf_mem|alloc_mem|mem)_or_null'
// line:   17
// fix:    if (!event) return 0;
struct event {
    u32 pid;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

SEC("raw_tracepoint/sys_enter")
int on_enter(void *ctx)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    event->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_ringbuf_submit(event, 0);
    return 0;
}

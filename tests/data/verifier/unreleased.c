// reject: Unreleased reference id=\d+ alloc_insn=\d+
// line:   16
// fix:    bpf_ringbuf_discard(event, 0);
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

SEC("raw_tracepoint/sys_enter")
int forget(void *ctx)
{
    u32 *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    *event = bpf_get_current_pid_tgid() >> 32;
    if (*event == 1)
        return 0;
    bpf_ringbuf_submit(event, 0);
    return 0;
}

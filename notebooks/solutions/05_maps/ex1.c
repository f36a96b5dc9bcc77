//%%bpf -o ex1 -- /usr/bin/python3 -c "import os; [os.lseek(0, n, 0) for n in (100, 200, 200)]"
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, u64);
    __type(value, u64);
} counts SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_lseek")
int sought(struct trace_event_raw_sys_enter *ctx)
{
    u64 key = ctx->args[1];
    u64 one = 1;
    u64 *count = bpf_map_lookup_elem(&counts, &key);
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        bpf_map_update_elem(&counts, &key, &one, BPF_NOEXIST);
    return 0;
}

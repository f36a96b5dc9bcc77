// reject: invalid access to map value, value_size=24 off=24 size=4
// line:   22
struct sums {
    u32 counts[6];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct sums);
} totals SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_read")
int sum_reads(struct trace_event_raw_sys_enter *ctx)
{
    u32 zero = 0;
    u32 slot = ctx->args[2];
    struct sums *sums = bpf_map_lookup_elem(&totals, &zero);
    if (!sums || slot > 6)
        return 0;
    sums->counts[slot] += 1;
    return 0;
}

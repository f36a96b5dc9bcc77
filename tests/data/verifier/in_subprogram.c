// reject: R\d invalid mem access 'map_value_or_null'
// line:   14
// fix:    if (!slot) return 0;
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, u32);
    __type(value, u64);
} slots SEC(".maps");

static __noinline int add(u32 key)
{
    u64 *slot = bpf_map_lookup_elem(&slots, &key);
    return *slot;
}

SEC("raw_tracepoint/sys_enter")
int call_add(void *ctx)
{
    return add(bpf_get_prandom_u32());
}

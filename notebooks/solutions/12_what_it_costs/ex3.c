//%%bpf -o ex3 --attach sample=profile:hz:499 -- sh -c 'head -c 8M /dev/urandom | sha256sum'
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, u64);
} samples SEC(".maps");

SEC("perf_event")
int sample(void *ctx)
{
    u32 key = bpf_get_current_pid_tgid() >> 32;
    if (!key)  // nobody has work for this processor
        return 0;
    u64 one = 1, *count = bpf_map_lookup_elem(&samples, &key);
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        bpf_map_update_elem(&samples, &key, &one, BPF_NOEXIST);
    return 0;
}

// reject: BPF program is too large. Processed 1000001 insn
// line:   8
// fix:    give the loop a small constant bound, or use bpf_loop()
SEC("raw_tracepoint/sys_enter")
int long_walk(u64 *ctx)
{
    u64 sum = 0;
    for (u32 i = 0; i < 10000000; i++)
        sum += bpf_ktime_get_ns() & i;
    return sum > 5;
}

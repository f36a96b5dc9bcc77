// reject: invalid bpf_context access off=320 size=8
// line:   6
SEC("raw_tracepoint/sys_enter")
int beyond(u64 *ctx)
{
    return ctx[40] == 1;
}

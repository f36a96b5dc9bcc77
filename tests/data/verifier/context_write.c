// reject: invalid bpf_context access off=16 size=8
// line:   6
SEC("tracepoint/syscalls/sys_enter_read")
int change(struct trace_event_raw_sys_enter *ctx)
{
    ctx->args[0] = 0;
    return 0;
}

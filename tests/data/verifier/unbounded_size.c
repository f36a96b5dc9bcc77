// reject: R2 min value is negative, either use unsigned or 'var &= const'
// line:   9
// fix:    if (size < 0 || size > 64) return 0;
SEC("tracepoint/syscalls/sys_enter_write")
int copy(struct trace_event_raw_sys_enter *ctx)
{
    char text[64];
    long size = ctx->args[2];
    bpf_probe_read_user(text, size, (void *)ctx->args[1]);
    return text[0];
}

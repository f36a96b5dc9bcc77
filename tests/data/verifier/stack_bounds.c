// reject: math between fp pointer and register with unbounded min value is not allowed
// line:   8
SEC("tracepoint/syscalls/sys_enter_read")
int pick(struct trace_event_raw_sys_enter *ctx)
{
    volatile char letters[8] = "abcdefg";
    u64 slot = ctx->args[0];
    return letters[slot];
}
// fix:    if (slot >= 8) return 0;

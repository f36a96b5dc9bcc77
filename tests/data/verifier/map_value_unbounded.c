// reject: (math between map_value pointer and register with unbounded min value is not allowed|R\d unbounded memory access).*
// line:   9
char names[16][16];

SEC("tracepoint/syscalls/sys_enter_read")
int name_reads(struct trace_event_raw_sys_enter *ctx)
{
    u64 slot = ctx->args[0];
    names[slot][0] = 'r';
    return 0;
}
// fix:    if (slot >= 16) return 0;

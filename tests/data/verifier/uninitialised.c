// reject: R7 !read_ok
// line:   7
SEC("raw_tracepoint/sys_enter")
int guess(void *ctx)
{
    u64 value;
    asm volatile("%0 = r7" : "=r"(value));
    return value > 5;
}

// reject: R0 !read_ok
// line:   7
SEC("raw_tracepoint/sys_enter")
int silent(void *ctx)
{
    // What a path without a return statement comes to: the program ends there, and nothing was returned.
    asm volatile("if %0 == 0 goto +1; exit" : : "r"(ctx));
    return 0;
}

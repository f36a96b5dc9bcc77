SEC("raw_tp/sys_enter")
int f(u64 *ctx)
{
    s64 part = (s64)ctx[0] / (s64)ctx[1];
    return part;
}

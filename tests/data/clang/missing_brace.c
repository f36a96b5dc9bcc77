SEC("raw_tp/sys_enter")
int f(void *ctx)
{
    if (ctx) {
        return 1;
    return 0;
}

char license[] SEC("license") = "GPL";

SEC("raw_tp/sys_enter")
int f(void *ctx)
{
    return 0;
}

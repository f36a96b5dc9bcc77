BPF_PERF_OUTPUT(events);

SEC("raw_tp/sys_enter")
int f(void *ctx)
{
    return 0;
}

SEC("raw_tp/sys_enter")
int f(void *ctx)
{
    return strlen("été") + bpf_get_current_pid();
}

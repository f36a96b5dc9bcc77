SEC("raw_tp/sys_enter")
int f(void *ctx)
{
    u32 pid = bpf_get_current_pid_tgid() >> 32
    return pid;
}

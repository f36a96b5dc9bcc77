TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    s64 a = bpf_get_current_pid_tgid();
    s64 b = args->dfd;
    return a / b;
}

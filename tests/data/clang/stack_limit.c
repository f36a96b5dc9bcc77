SEC("raw_tp/sys_enter")
int f(void *ctx)
{
    char path[600];
    bpf_get_current_comm(path, sizeof(path));
    return path[5];
}

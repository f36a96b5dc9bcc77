// reject: R\d invalid mem access 'scalar'
// line:   8
// fix:    bpf_probe_read_user() copies from a process, BPF_CORE_READ() from the kernel
SEC("tracepoint/syscalls/sys_enter_openat")
int first_letter(struct trace_event_raw_sys_enter *ctx)
{
    const char *path = (const char *)ctx->args[1];
    return path[0] == '/';
}

// reject: (program of this type cannot use helper|unknown func) bpf_redirect#23
// line:   6
SEC("raw_tracepoint/sys_enter")
int redirect(void *ctx)
{
    return bpf_redirect(1, 0);
}

// reject: invalid (write to|indirect access to|.*) stack.*off=-16 size=32
// line:   7
SEC("raw_tracepoint/sys_enter")
int beyond(void *ctx)
{
    char comm[16];
    bpf_get_current_comm(comm, 32);
    return comm[0];
}
// fix:    sizeof(comm) in place of 32

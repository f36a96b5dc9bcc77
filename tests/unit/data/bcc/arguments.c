int kprobe__do_exit(void *ctx)
{
    bpf_trace_printk("%d %d %d %d", 1, 2, 3, 4);
    return 0;
}

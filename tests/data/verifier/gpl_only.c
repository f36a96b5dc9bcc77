// reject: cannot call GPL-restricted function from non-GPL compatible program
// line:   9
// fix:    char LICENSE[] SEC("license") = "GPL";
char LICENSE[] SEC("license") = "Proprietary";

SEC("raw_tracepoint/sys_enter")
int speak(void *ctx)
{
    bpf_printk("hello");
    return 0;
}

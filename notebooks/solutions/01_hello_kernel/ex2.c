//%%bpf -o ex2 --only -- /usr/bin/python3 -c "import os, threading; t = threading.Thread(target=id, args=(0,)); t.start(); t.join(); os.fork() or os._exit(0); os.wait()"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

SEC("kretprobe/kernel_clone")
int BPF_KRETPROBE(who, int ret)
{
    bpf_printk("%d", ret);
    return 0;
}

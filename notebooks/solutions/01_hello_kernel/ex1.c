//%%bpf -o ex1 --only -- /usr/bin/python3 -c "import os, threading; t = threading.Thread(target=id, args=(0,)); t.start(); t.join(); os.fork() or os._exit(0); os.wait()"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("kprobe/kernel_clone")
int hello(void *ctx)
{
    bpf_printk("somebody new");
    return 0;
}

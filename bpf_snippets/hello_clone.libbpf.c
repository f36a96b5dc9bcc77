// SPDX-License-Identifier: GPL-2.0
// title:    Hello from every clone()
// teaches:  kprobe on a system call, bpf_printk (in bcc: bpf_trace_printk)
// attach:   ksyscall:clone
// needs:    kprobe, printk, btf, clang, libbpf
// workload: i=0; while [ $i -lt 23 ]; do ( : ); i=$((i + 1)); done
// emits:    ts u64 | cpu u32 | pid u32 | tid u32 | comm str | message str
// expect:   rows == 23 where comm == "sh" and message == "Hello, clone!"
// limits:   misses processes made by clone3() or vfork(), as most programs do today; a shell's ( ) uses clone()
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

// The kernel lends bpf_printk only to programs under the GPL.
char LICENSE[] SEC("license") = "GPL";

// "ksyscall" finds the function behind the system call: __x64_sys_clone here, __arm64_sys_clone there.
SEC("ksyscall/clone")
int hello_clone(void *ctx)
{
    // The kernel itself notes when, on which CPU and in which process this line was written.
    bpf_printk("Hello, clone!");
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A helper that waits
// teaches:  only a program that may sleep can wait for a page that is still on disk
// attach:   uprobe:libc:getenv
// needs:    uprobe, btf, clang, libbpf
// expect-reject: helper call might sleep in a non-sleepable prog
//           6.1: unknown func bpf_copy_from_user
//           7.2: sleepable helper bpf_copy_from_user
// limits:   tracepoints and kprobes cannot sleep: there bpf_probe_read_user() takes what is in memory
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

char last[32];

#ifdef FIXED
SEC("uprobe.s/libc:getenv")
#else
SEC("uprobe/libc:getenv")
#endif
int BPF_KPROBE(getenv_enter, const char *name)
{
    bpf_copy_from_user(last, sizeof(last), name);  // <- rejected here
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A result that means nothing here
// teaches:  some kinds of program have few results to choose from; fentry has only 0
// attach:   fentry:vfs_read
// needs:    fentry, btf, clang, libbpf
// expect-reject: At program exit the register R0 has
// limits:   most tracing programs may return anything, and it is not looked at
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 calls;

SEC("fentry/vfs_read")
int read_enter(void *ctx)
{
    calls += 1;
#ifdef FIXED
    return 0;
#else
    return 1;  // <- rejected here
#endif
}

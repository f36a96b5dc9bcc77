// SPDX-License-Identifier: GPL-2.0
// title:    Two functions that share the stack
// teaches:  the 512 bytes of stack are for a program and all that it calls together
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: accepted
//           6.1: combined stack size of 2 calls is
//           6.12: combined stack size of 2 calls is
// limits:   since 6.13 each function of a tracing program has 512 bytes where the architecture allows it; one
//           function that wants more is refused by the compiler already
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#ifdef FIXED
#define SIZE 128
#else
#define SIZE 320
#endif

static __noinline int first_letter(const char *name)
{
    char copy[SIZE];
    return bpf_probe_read_kernel_str(copy, sizeof(copy), name) > 0 ? copy[0] : 0;
}

SEC("raw_tracepoint/sys_enter")
int compare(void *ctx)  // <- rejected here
{
    char comm[SIZE];
    bpf_get_current_comm(comm, sizeof(comm));
    return first_letter(comm) == comm[1];
}

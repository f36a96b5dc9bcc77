// SPDX-License-Identifier: GPL-2.0
// title:    More bytes than the local array has
// teaches:  the mistake of our own: 64 for a name of 16 bytes
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: stack
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 last;

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(void *ctx)
{
    char comm[16];
    bpf_get_current_comm(comm, 64);  // <- rejected here
    last = comm[0];
    return 0;
}

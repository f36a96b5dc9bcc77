// SPDX-License-Identifier: GPL-2.0
// title:    A number at an odd address
// teaches:  numbers on the stack are read at multiples of their size
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: misaligned stack access off
// limits:   in maps and ring buffers any address is good where the processor takes it, as on x86-64 and arm64
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 last;

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    char comm[16] = {};
    bpf_get_current_comm(comm, sizeof(comm));
#ifdef FIXED
    __builtin_memcpy(&last, comm + 1, sizeof(last));
#else
    last = *(u64 *)(comm + 1);  // <- rejected here
#endif
    return 0;
}

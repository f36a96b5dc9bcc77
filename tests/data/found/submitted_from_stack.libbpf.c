// SPDX-License-Identifier: GPL-2.0
// title:    A local variable, submitted like a record
// teaches:  the mistake of our own: bpf_ringbuf_submit() for bpf_ringbuf_output()
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: R1 type=fp expected=ringbuf_mem
//           R1 type=fp expected=alloc_mem
//           expected=
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(void *ctx)
{
    u64 now = bpf_ktime_get_ns();
    bpf_ringbuf_submit(&now, 0);  // <- rejected here
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A record that is reserved, to be filled later
// teaches:  the mistake of libbpf/libbpf-bootstrap issue 60
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: Unreleased reference
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
    u64 *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event)
        *event = bpf_ktime_get_ns();
    return 0;  // <- rejected here
}

// SPDX-License-Identifier: GPL-2.0
// title:    A record as long as the string
// teaches:  the mistake of our own: bpf_ringbuf_reserve() like malloc()
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: R2 is not a known constant
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_write")
int write_enter(struct trace_event_raw_sys_enter *ctx)
{
    u64 size = ctx->args[2];
    if (size > 256)
        return 0;
    char *text = bpf_ringbuf_reserve(&events, size, 0);  // <- rejected here
    if (!text)
        return 0;
    bpf_ringbuf_submit(text, 0);
    return 0;
}

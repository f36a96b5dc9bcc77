// SPDX-License-Identifier: GPL-2.0
// title:    A context pointer that is not the context's
// teaches:  helpers that take the context want it as it came, not a pointer into it
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, perfbuf, btf, clang, libbpf
// expect-reject: dereference of modified ctx ptr
// limits:   the words speak of a dereference; here it is the helper that would do it
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(key_size, sizeof(u32));
    __uint(value_size, sizeof(u32));
} events SEC(".maps");

SEC("raw_tracepoint/sys_enter")
int enter(u64 *ctx)
{
    u64 number = ctx[1];
#ifdef FIXED
    bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &number, sizeof(number));
#else
    bpf_perf_event_output(ctx + 1, &events, BPF_F_CURRENT_CPU, &number, sizeof(number));  // <- rejected here
#endif
    return 0;
}

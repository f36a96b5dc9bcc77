// SPDX-License-Identifier: GPL-2.0
// title:    An argument whose number is not known
// teaches:  fields of the context have fixed places; an index computed while running is refused
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: variable ctx access var_off=
// limits:   a bound does not help; a struct before the array changes the words to "modified ctx ptr"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 last;

SEC("raw_tracepoint/sys_enter")
int enter(u64 *ctx)
{
#ifdef FIXED
    u64 arguments[2] = {ctx[0], ctx[1]};
    last = arguments[bpf_get_smp_processor_id() & 1];
#else
    last = ctx[bpf_get_smp_processor_id() & 1];  // <- rejected here
#endif
    return 0;
}

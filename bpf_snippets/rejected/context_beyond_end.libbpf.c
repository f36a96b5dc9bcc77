// SPDX-License-Identifier: GPL-2.0
// title:    An argument that does not exist
// teaches:  the kernel knows how large each kind of context is
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: invalid bpf_context access off=320 size=8
// limits:   a raw tracepoint's context has room for 12 arguments: what is behind those it has is refused when
//           attaching
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 last;

SEC("raw_tracepoint/sys_enter")
int enter(u64 *ctx)
{
#ifdef FIXED
    last = ctx[1];
#else
    last = ctx[40];  // <- rejected here
#endif
    return 0;
}

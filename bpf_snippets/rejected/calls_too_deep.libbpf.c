// SPDX-License-Identifier: GPL-2.0
// title:    Functions that call functions
// teaches:  only so many functions are under way at once, the program itself among them: mostly eight
// attach:   rawtracepoint:sys_enter
// needs:    raw_tracepoint, btf, clang, libbpf
// expect-reject: the call stack of 9 frames is too deep
//           7.2: accepted
// limits:   the compiler puts most functions into their callers, and these do not count; recursion never ends
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 last;

#ifdef FIXED
#define OWN_FRAME static __always_inline
#else
#define OWN_FRAME static __noinline
#endif
OWN_FRAME u64 ninth(u64 n) { return bpf_ktime_get_ns() % n; }
OWN_FRAME u64 eighth(u64 n) { return ninth(n + 1) + n; }  // <- rejected here
OWN_FRAME u64 seventh(u64 n) { return eighth(n + 1) + n; }
OWN_FRAME u64 sixth(u64 n) { return seventh(n + 1) + n; }
OWN_FRAME u64 fifth(u64 n) { return sixth(n + 1) + n; }
OWN_FRAME u64 fourth(u64 n) { return fifth(n + 1) + n; }
OWN_FRAME u64 third(u64 n) { return fourth(n + 1) + n; }
OWN_FRAME u64 second(u64 n) { return third(n + 1) + n; }

SEC("raw_tracepoint/sys_enter")
int first(u64 *ctx)
{
    last = second(ctx[1] & 1023);
    return 0;
}

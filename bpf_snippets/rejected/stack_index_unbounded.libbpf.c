// SPDX-License-Identifier: GPL-2.0
// title:    A local array and an index without bounds
// teaches:  the verifier must know where on the stack an access goes
// attach:   tracepoint:syscalls:sys_enter_socket
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: math between fp pointer and register with unbounded min value is not allowed
// limits:   with a bound that is too large it is "invalid variable-offset" instead
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tracepoint/syscalls/sys_enter_socket")
int socket_enter(struct trace_event_raw_sys_enter *ctx)
{
    // The compiler shall not keep it in registers.
    volatile char letters[8] = {'?', 's', 'd', 'r', 'm', 'q'};
    u64 type = ctx->args[1];  // of socket(family, type, protocol)
#ifdef FIXED
    if (type >= sizeof(letters))
        return 0;
#endif
    return letters[type] == 's';  // <- rejected here
}

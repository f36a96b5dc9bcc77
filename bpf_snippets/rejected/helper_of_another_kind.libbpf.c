// SPDX-License-Identifier: GPL-2.0
// title:    A network helper in a tracing program
// teaches:  which helpers there are depends on the kind of program
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: program of this type cannot use helper bpf_redirect
//           6.1: unknown func bpf_redirect
// limits:   bpf-helpers(7) does not list it; bpftool feature probe does, for each kind of program
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
#ifdef FIXED
    return 0;
#else
    return bpf_redirect(1, 0);  // <- rejected here
#endif
}

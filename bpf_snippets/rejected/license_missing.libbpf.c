// SPDX-License-Identifier: GPL-2.0
// title:    A helper for free programs only
// teaches:  some helpers are lent only to programs whose licence is compatible with the GPL
// attach:   tracepoint:sched:sched_process_exec
// needs:    tracepoint, btf, clang, libbpf
// expect-reject: cannot call GPL-restricted function from non-GPL compatible program
// limits:   a text that names no licence is loaded by the lab under the GPL
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#ifdef FIXED
char LICENSE[] SEC("license") = "Dual MIT/GPL";
#else
char LICENSE[] SEC("license") = "MIT";
#endif

SEC("tracepoint/sched/sched_process_exec")
int exec_seen(void *ctx)
{
    bpf_printk("somebody runs a program");  // <- rejected here
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A kernel function's argument, followed like a pointer
// teaches:  the mistake of JiaHuann/libbpf-bootstrap-android issue 1
// attach:   kprobe:update_rq_clock
// needs:    kprobe, btf, clang, libbpf
// expect-reject: invalid mem access 'scalar'
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

u32 running;

SEC("kprobe/update_rq_clock")
int BPF_KPROBE(clock_updated, struct rq *rq)
{
    running = rq->nr_running;  // <- rejected here
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    The process behind a packet
// teaches:  the mistake of our own: bpf_get_current_comm() in an XDP program
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: cannot use helper
//           unknown func
//           6.18: accepted
//           7.2: accepted
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

char comm[16];

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    bpf_get_current_comm(comm, sizeof(comm));  // <- rejected here
    return XDP_PASS;
}

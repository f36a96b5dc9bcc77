// SPDX-License-Identifier: GPL-2.0
// title:    An atomic addition to a packet
// teaches:  the mistake of our own: a hop counter raised in the packet
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: BPF_ATOMIC stores into
//           BPF_XADD stores into
//           is not allowed
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    u32 *word = (void *)(long)ctx->data;
    if ((void *)(word + 1) > end)
        return XDP_PASS;
    __sync_fetch_and_add(word, 1);  // <- rejected here
    return XDP_PASS;
}

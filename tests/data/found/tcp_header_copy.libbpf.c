// SPDX-License-Identifier: GPL-2.0
// title:    A header whose length is in the packet itself
// teaches:  the mistake of eunomia-bpf/bpf-developer-tutorial issue 158
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: invalid access to packet
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u32 sum;

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = (void *)(long)ctx->data;
    struct iphdr *ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > end)
        return XDP_PASS;
    u32 length = ip->ihl * 4;
    if (length < sizeof(*ip))
        return XDP_PASS;
    struct tcphdr *tcp = (void *)ip + length;
    sum += tcp->dest;  // <- rejected here
    return XDP_PASS;
}

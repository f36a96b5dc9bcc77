// SPDX-License-Identifier: GPL-2.0
// title:    A check of the first header for a read of the second
// teaches:  what was shown of 14 bytes says nothing of the 20 behind them
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: invalid access to packet
// limits:   headers of varying size, as IPv4's with options, need a check for each part
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 tcp;

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = (void *)(long)ctx->data;
    struct iphdr *ip = (void *)(ethernet + 1);
#ifdef FIXED
    if ((void *)(ip + 1) > end)
        return XDP_PASS;
#else
    if ((void *)(ethernet + 1) > end)
        return XDP_PASS;
#endif
    if (ethernet->h_proto != bpf_htons(0x0800))
        return XDP_PASS;
    if (ip->protocol == IPPROTO_TCP)  // <- rejected here
        tcp += 1;
    return XDP_PASS;
}

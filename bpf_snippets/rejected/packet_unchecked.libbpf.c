// SPDX-License-Identifier: GPL-2.0
// title:    A packet that may be too short
// teaches:  before each read the program shows that the packet goes so far
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: invalid access to packet
// limits:   the check is of addresses: data + size <= data_end
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 ipv4;

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = (void *)(long)ctx->data;
#ifdef FIXED
    if ((void *)(ethernet + 1) > end)
        return XDP_PASS;
#endif
    if (ethernet->h_proto == bpf_htons(0x0800))  // <- rejected here
        ipv4 += 1;
    return XDP_PASS;
}

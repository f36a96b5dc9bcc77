// SPDX-License-Identifier: GPL-2.0
// title:    A second header behind the first one's check
// teaches:  the mistake of vmware-archive/p4c-xdp issue 4
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: invalid access to packet, off=16 size=2
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u32 tagged;

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = (void *)(long)ctx->data;
    if ((void *)(ethernet + 1) + 2 > end)
        return XDP_PASS;
    struct vlan_hdr *vlan = (void *)(ethernet + 1);
    if (vlan->h_vlan_encapsulated_proto)  // <- rejected here
        tagged += 1;
    return XDP_PASS;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A packet that has moved
// teaches:  after a helper that changes the packet, its pointers are void and must be fetched anew
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: invalid mem access 'scalar'
// limits:   the words do not name the helper; bpf-helpers(7) says of each whether it changes the packet
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u8 last;

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    u8 *byte = (void *)(long)ctx->data;
    if ((void *)(byte + 1) > (void *)(long)ctx->data_end)
        return XDP_PASS;
    if (bpf_xdp_adjust_tail(ctx, 0))
        return XDP_PASS;
#ifdef FIXED
    byte = (void *)(long)ctx->data;
    if ((void *)(byte + 1) > (void *)(long)ctx->data_end)
        return XDP_PASS;
#endif
    last = *byte;  // <- rejected here
    return XDP_PASS;
}

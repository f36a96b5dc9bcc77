// SPDX-License-Identifier: GPL-2.0
// title:    A packet's address from before the packet was changed
// teaches:  the mistake of Internet-Architecture-and-Security/PacketScope issue 8
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: invalid mem access 'scalar'
//           invalid mem access 'inv'
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u32 sum;

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    u8 *data = (u8 *)(long)ctx->data, *end = (u8 *)(long)ctx->data_end;
    if (data + 14 > end)
        return 0;
    bpf_xdp_adjust_head(ctx, 0);
    sum += data[12];  // <- rejected here
    return 0;
}

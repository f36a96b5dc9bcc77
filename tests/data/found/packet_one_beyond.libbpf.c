// SPDX-License-Identifier: GPL-2.0
// title:    One byte more than was compared with the end
// teaches:  the mistake of xdp-project/xdp-tutorial pull request 136
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: invalid access to packet, off=12 size=1
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u32 sum;

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    u8 *data = (u8 *)(long)ctx->data, *end = (u8 *)(long)ctx->data_end;
    if (data + 12 > end)
        return XDP_PASS;
    sum += data[12];  // <- rejected here
    return XDP_PASS;
}

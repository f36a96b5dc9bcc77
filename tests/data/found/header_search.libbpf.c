// SPDX-License-Identifier: GPL-2.0
// title:    A search through a packet, byte by byte
// teaches:  the mistake of parttimenerd/ebpf-verifier-errors issue 5
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: program is too large
//           jumps is too complex
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

u64 found;

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    char *end = (char *)(long)ctx->data_end;
    char *data = (char *)(long)ctx->data;
    for (u32 at = 0; at < 4096; at++) {  // <- rejected here
        if (data + 1 > end)
            return XDP_PASS;
        if (*data == '\r')
            found += at;
        if (*data == '\n')
            found += 1;
        data++;
    }
    return XDP_PASS;
}

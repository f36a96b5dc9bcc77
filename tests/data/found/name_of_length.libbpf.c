// SPDX-License-Identifier: GPL-2.0
// title:    A name whose length may be zero
// teaches:  the mistake of elastiflow/mermin, its list of common errors
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: R4 invalid zero-sized read
//           off=0 size=0
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

char name[192];

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    u32 length = ctx->data_end - ctx->data - 54;
    if (length >= sizeof(name))
        return 0;
    bpf_xdp_load_bytes(ctx, 54, name, length);  // <- rejected here
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    A length that is checked through another variable
// teaches:  the mistake of iovisor/bcc issue 3269
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: R4 min value is negative
//           R4 invalid zero-sized read
//           invalid zero-sized read
//           invalid access to map value
//           R4 unbounded memory access
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define LONGEST 1024

struct text {
    char bytes[LONGEST];
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct text);
} texts SEC(".maps");

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    u32 zero = 0;
    struct text *text = bpf_map_lookup_elem(&texts, &zero);
    if (!text)
        return 0;
    s32 length = ctx->data_end - ctx->data - 54;
    s32 left = LONGEST - length;
    if (left < 0)
        return 0;
    bpf_xdp_load_bytes(ctx, 54, text->bytes, length);  // <- rejected here
    return 0;
}

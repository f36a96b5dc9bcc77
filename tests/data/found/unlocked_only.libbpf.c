// SPDX-License-Identifier: GPL-2.0
// title:    A lock that is given back and was never taken
// teaches:  the mistake of our own: bpf_spin_lock() behind an #if
// attach:   packet_seen=xdp:lo
// needs:    xdp, btf, clang, libbpf
// expect-reject: bpf_spin_unlock without taking a lock
// limits:   shortened to what the verifier stumbles over
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct total {
    struct bpf_spin_lock lock;
    u32 packets;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct total);
} totals SEC(".maps");

SEC("xdp")
int packet_seen(struct xdp_md *ctx)
{
    u32 zero = 0;
    struct total *total = bpf_map_lookup_elem(&totals, &zero);
    if (!total)
        return 0;
    total->packets += 1;
    bpf_spin_unlock(&total->lock);  // <- rejected here
    return 0;
}

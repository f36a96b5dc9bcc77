//%%bpf -o ex2 --attach packet=xdp:lesson0 -- sh -c 'nsenter --net=$PEER /usr/bin/python3 -c "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); [s.sendto(b\"x\", (\"198.51.100.1\", 7000 + i)) for i in range(3)]"'
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct headers {
    struct ethhdr ethernet;
    struct iphdr ip;
    struct udphdr udp;
} __attribute__((packed));

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2);
    __type(key, u32);
    __type(value, u64);
} even_and_odd SEC(".maps");

SEC("xdp")
int packet(struct xdp_md *ctx)
{
    struct headers *headers = (void *)(long)ctx->data;
    if ((void *)(headers + 1) > (void *)(long)ctx->data_end)
        return XDP_PASS;
    if (headers->ethernet.h_proto != bpf_htons(0x0800) || headers->ip.protocol != 17 || headers->ip.ihl != 5)
        return XDP_PASS;
    u32 port = bpf_ntohs(headers->udp.dest), key = port % 2;
    u64 *count = bpf_map_lookup_elem(&even_and_odd, &key);
    if (count)
        *count += 1;
    return port % 2 ? XDP_DROP : XDP_PASS;
}

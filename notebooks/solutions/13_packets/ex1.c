//%%bpf -o ex1 --attach packet=xdp:lesson0 -- sh -c 'nsenter --net=$PEER /usr/bin/python3 -c "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); [s.sendto(b\"x\", (\"198.51.100.1\", 7000 + i)) for i in range(3)]"'
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
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, u32);
    __type(value, u64);
} counts SEC(".maps");

SEC("xdp")
int packet(struct xdp_md *ctx)
{
    struct headers *headers = (void *)(long)ctx->data;
    if ((void *)(headers + 1) > (void *)(long)ctx->data_end)
        return XDP_PASS;
    if (headers->ethernet.h_proto != bpf_htons(0x0800) || headers->ip.protocol != 17 || headers->ip.ihl != 5)
        return XDP_PASS;
    u32 port = bpf_ntohs(headers->udp.dest);
    u64 one = 1, *count = bpf_map_lookup_elem(&counts, &port);
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        bpf_map_update_elem(&counts, &port, &one, BPF_NOEXIST);
    return XDP_PASS;
}

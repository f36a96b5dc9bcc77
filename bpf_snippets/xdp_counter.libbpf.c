// SPDX-License-Identifier: GPL-2.0
// title:    Packets by protocol, before the kernel has looked at them
// teaches:  XDP, reading packets within their bounds, per-CPU hash map, network namespaces
// attach:   packet_arrived=xdp:lab0
// needs:    xdp, veth, btf, clang, libbpf
// setup:    ip netns add lab
//           ip link add lab0 type veth peer name lab1 netns lab
//           ip address add 198.51.100.1/30 dev lab0
//           ip link set lab0 up
//           ip -n lab address add 198.51.100.2/30 dev lab1
//           ip -n lab link set lab1 up
// workload: python3 -c 'import socket, subprocess;
//           server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.settimeout(20);
//           server.bind(("198.51.100.1", 0)); port = str(server.getsockname()[1]);
//           send = ("import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
//           "[s.sendto(b\"x\" * 23, (\"198.51.100.1\", int(sys.argv[1]))) for i in range(23)]");
//           subprocess.run(["ip", "netns", "exec", "lab", "python3", "-c", send, port], check=True);
//           [server.recv(23) for i in range(23)]'
// cleanup:  ip link delete lab0
//           ip netns delete lab
// from:     counts
// emits:    protocol str | packets u64 | bytes u64
// expect:   packets == 23 where protocol == "UDP"
//           bytes == 1495 where protocol == "UDP"
//           any protocol == "ARP"
// limits:   what arrives at one interface, not what it sends; IPv6 with extension headers counts as OTHER
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

// linux/if_ether.h; vmlinux.h has types and enumerations, and no macros.
#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_IPV6 0x86DD

enum failure { NO_ROOM_FOR_PROTOCOL, FAILURES };

// Numbers of IP protocols (IANA), and two of ours behind them.
enum protocol { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58, ARP = 256, OTHER };

struct packets_of {
    enum protocol protocol;
};

struct traffic {
    u64 packets;
    u64 bytes;
};

// Each CPU has values of its own, and so none must wait for another; the frame adds them up.
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(max_entries, 16);
    __type(key, struct packets_of);
    __type(value, struct traffic);
} counts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FAILURES);
    __type(key, enum failure);
    __type(value, u64);
} failures SEC(".maps");

static void count_failure(enum failure failure)
{
    u64 *count = bpf_map_lookup_elem(&failures, &failure);
    if (count)
        (*count)++;
}

static enum protocol known(u8 number)
{
    switch (number) {
    case ICMP: case TCP: case UDP: case ICMPV6:
        return number;
    default:
        return OTHER;
    }
}

// Between data and end lies what arrived. The verifier lets a program read no byte of it before a comparison
// with the end has shown that it is there.
static enum protocol protocol_of(void *data, void *end)
{
    struct ethhdr *ethernet = data;
    if ((void *)(ethernet + 1) > end)
        return OTHER;
    switch (bpf_ntohs(ethernet->h_proto)) {
    case ETH_P_ARP:
        return ARP;
    case ETH_P_IP: {
        struct iphdr *ip = (void *)(ethernet + 1);
        return (void *)(ip + 1) > end ? OTHER : known(ip->protocol);
    }
    case ETH_P_IPV6: {
        struct ipv6hdr *ip = (void *)(ethernet + 1);
        return (void *)(ip + 1) > end ? OTHER : known(ip->nexthdr);
    }
    default:
        return OTHER;
    }
}

// The section names no interface: --attach does, or the header's attach line.
SEC("xdp")
int packet_arrived(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct packets_of key = {.protocol = protocol_of(data, end)};
    struct traffic *traffic = bpf_map_lookup_elem(&counts, &key);
    if (!traffic) {
        struct traffic zero = {};
        bpf_map_update_elem(&counts, &key, &zero, BPF_NOEXIST);
        traffic = bpf_map_lookup_elem(&counts, &key);
    }
    if (traffic) {
        traffic->packets++;
        traffic->bytes += end - data;
    } else {
        count_failure(NO_ROOM_FOR_PROTOCOL);
    }
    return XDP_PASS;  // XDP_DROP would make a firewall of it
}

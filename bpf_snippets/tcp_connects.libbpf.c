// SPDX-License-Identifier: GPL-2.0
// title:    TCP connections: who connects where, how long it takes, whether it is refused
// teaches:  one tracepoint for all states of a socket, addresses of both families, joining by pointer
// attach:   tracepoint:sock:inet_sock_set_state
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// workload: python3 -c 'import socket;
//           servers = [socket.create_server((host, 0), family=family) for host, family in
//           (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6))];
//           addresses = [server.getsockname()[:2] for server in servers];
//           [socket.create_connection(address) for address in addresses for i in range(23)];
//           [server.close() for server in servers];
//           socket.socket().connect_ex(addresses[0])'
// emits:    ts u64 | duration_ns u64 | pid u32 | family str | outcome str | sport u16 | dport u16
//           | saddr_ip str | daddr_ip str | comm str
// expect:   rows == 23 where family == "IPV4" and outcome == "CONNECTION_MADE" and daddr_ip == "127.0.0.1"
//           rows == 23 where family == "IPV6" and outcome == "CONNECTION_MADE" and daddr_ip == "::1"
//           rows == 1 where outcome == "CONNECTION_FAILED" and daddr_ip == "127.0.0.1"
//           rows == 0 where sport == 0
//           rows == 0 where dport == 0
// limits:   TCP alone; not what is accepted; a connection that is still being made at the end is missing
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

enum failure { NO_ROOM_FOR_CONNECTION, FAILURES };
enum family { IPV4 = 2, IPV6 = 10 };
// Long names: vmlinux.h has those of the whole kernel, and C but one space for all of them.
enum outcome { CONNECTION_MADE, CONNECTION_FAILED };

struct attempt {
    u64 begin;
    u32 pid;
    char comm[16];
};

struct event {
    u64 ts;
    u64 duration_ns;
    u32 pid;
    enum family family;
    enum outcome outcome;
    u16 sport;
    u16 dport;
    u8 saddr[16];
    u8 daddr[16];
    char comm[16];
};

// Connections that are being made, by the kernel's address of their socket.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, const void *);
    __type(value, struct attempt);
} attempts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1024 * 1024);
} events SEC(".maps");

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

SEC("tracepoint/sock/inet_sock_set_state")
int state_changed(struct trace_event_raw_inet_sock_set_state *ctx)
{
    const void *socket = ctx->skaddr;

    // connect() has just begun. Whose it is must be noted now: what comes back from the network is handled
    // by whichever process a CPU happens to be in.
    if (ctx->newstate == TCP_SYN_SENT) {
        struct attempt attempt = {.begin = bpf_ktime_get_ns(), .pid = bpf_get_current_pid_tgid() >> 32};
        bpf_get_current_comm(attempt.comm, sizeof(attempt.comm));
        if (bpf_map_update_elem(&attempts, &socket, &attempt, BPF_ANY))
            count_failure(NO_ROOM_FOR_CONNECTION);
        return 0;
    }
    if (ctx->oldstate != TCP_SYN_SENT)
        return 0;
    struct attempt *attempt = bpf_map_lookup_elem(&attempts, &socket);
    if (!attempt)  // it began before the trace did
        return 0;

    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->duration_ns = event->ts - attempt->begin;
        event->pid = attempt->pid;
        event->family = ctx->family;
        event->outcome = ctx->newstate == TCP_ESTABLISHED ? CONNECTION_MADE : CONNECTION_FAILED;
        event->sport = ctx->sport;  // the tracepoint has it in this machine's byte order already
        event->dport = ctx->dport;
        // Addresses of IPv4 are there in the form that IPv6 gives them, ::ffff:192.0.2.1.
        bpf_probe_read_kernel(event->saddr, sizeof(event->saddr), ctx->saddr_v6);
        bpf_probe_read_kernel(event->daddr, sizeof(event->daddr), ctx->daddr_v6);
        __builtin_memcpy(event->comm, attempt->comm, sizeof(event->comm));
        bpf_ringbuf_submit(event, 0);
    }
    bpf_map_delete_elem(&attempts, &socket);
    return 0;
}

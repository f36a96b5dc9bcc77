// SPDX-License-Identifier: GPL-2.0
// title:    What a Python program does, by its audit events
// teaches:  USDT probes and their semaphores, arguments of a marker, strings of another program
// attach:   usdt:/usr/bin/python3:python:audit
// needs:    usdt, ringbuf, btf, clang, libbpf
// workload: /usr/bin/python3 -c 'import sys; [sys.audit("lab.step") for i in range(23)];
//           open("/etc/hostname")'
// emits:    ts u64 | pid u32 | comm str | name str
// expect:   rows == 23 where name == "lab.step"
//           any name == "open"
//           any name == "import"
// limits:   the events' arguments (which file was opened) are Python objects, and not taken apart; a python3
//           of another place than /usr/bin has probes of its own, or none
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

char LICENSE[] SEC("license") = "GPL";

enum failure { UNREADABLE_NAME, FAILURES };

struct event {
    u64 ts;
    u32 pid;
    char comm[16];
    char name[64];
};

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

// Python's authors put this marker where audit hooks are called. An unwatched python3 skips it: the marker's
// semaphore, a counter in its memory, is 0 until the tracer adds to it.
SEC("usdt//usr/bin/python3:python:audit")
int BPF_USDT(audited, const char *name, void *arguments)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;

    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    if (bpf_probe_read_user_str(event->name, sizeof(event->name), name) < 0) {
        event->name[0] = 0;
        count_failure(UNREADABLE_NAME);
    }
    bpf_ringbuf_submit(event, 0);
    return 0;
}

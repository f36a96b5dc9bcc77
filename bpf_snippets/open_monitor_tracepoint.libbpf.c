// SPDX-License-Identifier: GPL-2.0
// title:    Who opens which file (tracepoint, ring buffer)
// teaches:  system call tracepoint, arguments, strings from user memory, events larger than the stack
// attach:   tracepoint:syscalls:sys_enter_openat
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// workload: i=0; while [ $i -lt 23 ]; do cat /etc/hostname; i=$((i + 1)); done
// emits:    ts u64 | pid u32 | uid u32 | flags s32 | comm str | filename str
// expect:   rows == 23 where comm == "cat" and filename == "/etc/hostname" and flags == 0
// limits:   misses open() and openat2(); relative names as given; a name not yet in memory reads as empty
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    u64 ts;
    u32 pid;
    u32 uid;
    int flags;
    char comm[16];
    char filename[4096];  // PATH_MAX: the longest name that the kernel takes
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 16 * 1024 * 1024);  // room for a burst of 4000 events
} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_openat")
int open_enter(struct trace_event_raw_sys_enter *ctx)
{
    // Reserved in the ring buffer, because a BPF program's stack has 512 bytes only.
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;

    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->uid = bpf_get_current_uid_gid();  // the lower half; the group is in the upper one
    bpf_get_current_comm(event->comm, sizeof(event->comm));

    // openat(dfd, filename, flags, mode): the name is a pointer into the process, not a string yet.
    bpf_probe_read_user_str(event->filename, sizeof(event->filename), (const char *)ctx->args[1]);
    event->flags = ctx->args[2];

    bpf_ringbuf_submit(event, 0);
    return 0;
}

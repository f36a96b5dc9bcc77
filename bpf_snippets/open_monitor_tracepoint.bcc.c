// SPDX-License-Identifier: GPL-2.0
// title:    Who opens which file (tracepoint, ring buffer)
// teaches:  system call tracepoint, arguments, strings from user memory, events larger than the stack
// attach:   tracepoint:syscalls:sys_enter_openat
// needs:    tracepoint, ringbuf, bcc, headers
// workload: i=0; while [ $i -lt 23 ]; do cat /etc/hostname; i=$((i + 1)); done
// emits:    ts u64 | pid u32 | uid u32 | flags s32 | comm str | filename str
// expect:   rows == 23 where comm == "cat" and filename == "/etc/hostname" and flags == 0
// limits:   misses open() and openat2(); relative names as given; a name not yet in memory reads as empty

struct event {
    u64 ts;
    u32 pid;
    u32 uid;
    int flags;
    char comm[16];
    char filename[4096];  // PATH_MAX: the longest name that the kernel takes
};

BPF_RINGBUF_OUTPUT(events, 4096);  // pages: room for a burst of 4000 events

TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    // Reserved in the ring buffer, because a BPF program's stack has 512 bytes only.
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event)
        return 0;

    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->uid = bpf_get_current_uid_gid();  // the lower half; the group is in the upper one
    bpf_get_current_comm(event->comm, sizeof(event->comm));

    // "args" has the tracepoint's fields. The name is a pointer into the process, not a string yet.
    bpf_probe_read_user_str(event->filename, sizeof(event->filename), args->filename);
    event->flags = args->flags;

    events.ringbuf_submit(event, 0);
    return 0;
}

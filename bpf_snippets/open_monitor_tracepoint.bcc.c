// SPDX-License-Identifier: GPL-2.0
// title:    Who opens which file (tracepoints, ring buffer)
// teaches:  system call tracepoints in pairs, hash map, strings from user memory, events larger than the stack
// attach:   tracepoint:syscalls:sys_enter_openat, tracepoint:syscalls:sys_exit_openat
// needs:    tracepoint, ringbuf, bcc, headers
// workload: i=0; while [ $i -lt 23 ]; do cat /etc/hostname; i=$((i + 1)); done
// emits:    ts u64 | pid u32 | uid u32 | uid_name str | flags s32 | flags_names str | ret s32 | ret_errno str
//           | comm str | filename str
// expect:   rows == 23 where comm == "cat" and filename == "/etc/hostname" and flags_names == "O_RDONLY"
//           rows == 0 where filename == ""
// limits:   misses open() and openat2(); relative names as given; a name that another thread changes during
//           the call is seen as changed

struct call {
    const char *filename;
    u64 flags;  // as wide as the pointer, so that there is no hole: old verifiers refuse unset bytes
};

struct event {
    u64 ts;
    u32 pid;
    u32 uid;
    int flags;
    int ret;
    char comm[16];
    char filename[4096];  // PATH_MAX: the longest name that the kernel takes
};

// Calls that have begun and not yet returned, by thread: what the first program saw, kept for the second.
BPF_HASH(calls, u32, struct call);

BPF_RINGBUF_OUTPUT(events, 4096);  // pages: room for a burst of 4000 events

TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    // "args" has the tracepoint's fields. The name is a pointer into the process. Its text may still be on
    // disk, and this program cannot wait for that.
    struct call call = {.filename = args->filename, .flags = args->flags};
    u32 thread = bpf_get_current_pid_tgid();
    calls.update(&thread, &call);
    return 0;
}

TRACEPOINT_PROBE(syscalls, sys_exit_openat)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call *call = calls.lookup(&thread);
    if (!call)  // it began before the trace did
        return 0;

    // Reserved in the ring buffer, because a BPF program's stack has 512 bytes only.
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->uid = bpf_get_current_uid_gid();  // the lower half; the group is in the upper one
        event->flags = call->flags;
        event->ret = args->ret;  // a file descriptor, or minus the error
        bpf_get_current_comm(event->comm, sizeof(event->comm));
        // By now the kernel itself has read the name, and it is in memory.
        bpf_probe_read_user_str(event->filename, sizeof(event->filename), call->filename);
        events.ringbuf_submit(event, 0);
    }
    calls.delete(&thread);
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    Who opens which file, and what came of it
// teaches:  system call tracepoints in pairs, hash map, strings from user memory, events larger than the stack,
//           programs left out where their probe does not exist
// attach:   tracepoint:syscalls:sys_enter_openat, tracepoint:syscalls:sys_exit_openat
//           tracepoint:syscalls:sys_enter_openat2, tracepoint:syscalls:sys_exit_openat2
//           open_enter=?tracepoint:syscalls:sys_enter_open, open_exit=?tracepoint:syscalls:sys_exit_open
// needs:    tracepoint, ringbuf, bcc, headers
// workload: i=0; while [ $i -lt 23 ]; do cat /etc/hostname; i=$((i + 1)); done; cat /no/such/file; test $? -eq 1
// emits:    ts u64 | pid u32 | uid u32 | uid_name str | call str | flags s32 | flags_names str | ret s32
//           | ret_errno str | comm str | filename str
// expect:   rows == 23 where comm == "cat" and filename == "/etc/hostname" and flags_names == "O_RDONLY" and ret >= 3
//           rows == 1 where filename == "/no/such/file" and ret_errno == "ENOENT" and call == "openat"
//           rows == 0 where filename == ""
// limits:   relative names as given, whatever directory they are relative to; a name that another thread changes
//           during the call is seen as changed; misses io_uring, which opens files without a system call for each
#include <uapi/linux/openat2.h>

enum syscall_name { open, openat, openat2 };

struct call {
    const char *filename;
    const struct open_how *how;  // openat2() has its flags in memory
    u64 flags;
    u64 name;  // as wide as the others, so that there is no hole: old verifiers refuse unset bytes
};

struct event {
    u64 ts;
    u32 pid;
    u32 uid;
    enum syscall_name call;
    int flags;
    int ret;
    char comm[16];
    char filename[4096];  // PATH_MAX: the longest name that the kernel takes
};

// Calls that have begun and not yet returned, by thread: what the first program saw, kept for the second.
BPF_HASH(calls, u32, struct call);

BPF_RINGBUF_OUTPUT(events, 4096);  // pages: room for a burst of 4000 events

// What went wrong, and how often: the header line of the frame says so.
enum failure { NO_ROOM_FOR_CALL, UNREADABLE_NAME, UNREADABLE_FLAGS, FAILURES };
BPF_PERCPU_ARRAY(failures, u64, FAILURES);

// The name is a pointer into the process. Its text may still be on disk, and these programs cannot wait for
// that: it is read when the call returns.
static int begins(struct call *call)
{
    u32 thread = bpf_get_current_pid_tgid();
    if (calls.update(&thread, call))
        failures.increment(NO_ROOM_FOR_CALL);
    return 0;
}

static int returns(long ret)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call *call = calls.lookup(&thread);
    if (!call)  // it began before the trace did
        return 0;

    // Reserved in the ring buffer, because a BPF program's stack has 512 bytes only.
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (event) {
        u64 flags = call->flags;
        if (call->how && bpf_probe_read_user(&flags, sizeof(flags), &call->how->flags))
            failures.increment(UNREADABLE_FLAGS);

        event->ts = bpf_ktime_get_ns();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->uid = bpf_get_current_uid_gid();  // the lower half; the group is in the upper one
        event->call = call->name;
        event->flags = flags;
        event->ret = ret;  // a file descriptor, or minus the error
        bpf_get_current_comm(event->comm, sizeof(event->comm));
        // By now the kernel itself has read the name, and it is in memory.
        if (bpf_probe_read_user_str(event->filename, sizeof(event->filename), call->filename) < 0) {
            event->filename[0] = 0;
            failures.increment(UNREADABLE_NAME);
        }
        events.ringbuf_submit(event, 0);
    }
    calls.delete(&thread);
    return 0;
}

// "args" has the tracepoint's fields.
TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    struct call call = {.name = openat, .filename = args->filename, .flags = args->flags};
    return begins(&call);
}

TRACEPOINT_PROBE(syscalls, sys_exit_openat)
{
    return returns(args->ret);
}

TRACEPOINT_PROBE(syscalls, sys_enter_openat2)
{
    struct call call = {.name = openat2, .filename = args->filename, .how = args->how};
    return begins(&call);
}

TRACEPOINT_PROBE(syscalls, sys_exit_openat2)
{
    return returns(args->ret);
}

// Newer architectures have no open(): TRACEPOINT_PROBE, which asks the running kernel for the fields, would not
// compile there. These records are the same for all system calls, and "?" in the option that attaches the two
// functions leaves them out where there is nothing to attach them to.
struct enter_record {
    u64 common;
    long number;
    unsigned long arguments[6];
};

struct exit_record {
    u64 common;
    long number;
    long ret;
};

int open_enter(struct enter_record *record)  // open(filename, flags, mode)
{
    struct call call = {
        .name = open, .filename = (void *)record->arguments[0], .flags = record->arguments[1]};
    return begins(&call);
}

int open_exit(struct exit_record *record)
{
    return returns(record->ret);
}

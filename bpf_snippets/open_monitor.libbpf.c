// SPDX-License-Identifier: GPL-2.0
// title:    Who opens which file, and what came of it
// teaches:  system call tracepoints in pairs, hash map, strings from user memory, events larger than the stack,
//           programs left out where their probe does not exist
// attach:   tracepoint:syscalls:sys_enter_openat, tracepoint:syscalls:sys_exit_openat
//           tracepoint:syscalls:sys_enter_openat2, tracepoint:syscalls:sys_exit_openat2
//           ?tracepoint:syscalls:sys_enter_open, ?tracepoint:syscalls:sys_exit_open
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// workload: i=0; while [ $i -lt 23 ]; do cat /etc/hostname; i=$((i + 1)); done; cat /no/such/file; test $? -eq 1
// emits:    ts u64 | pid u32 | uid u32 | uid_name str | call str | flags s32 | flags_names str | ret s32
//           | ret_errno str | comm str | filename str
// expect:   rows == 23 where comm == "cat" and filename == "/etc/hostname" and flags_names == "O_RDONLY" and ret >= 3
//           rows == 1 where filename == "/no/such/file" and ret_errno == "ENOENT" and call == "openat"
//           rows == 0 where filename == ""
// limits:   relative names as given, whatever directory they are relative to; a name that another thread changes
//           during the call is seen as changed; misses io_uring, which opens files without a system call for each
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

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
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, struct call);
} calls SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 16 * 1024 * 1024);  // room for a burst of 4000 events
} events SEC(".maps");

// What went wrong, and how often: the header line of the frame says so.
enum failure { NO_ROOM_FOR_CALL, UNREADABLE_NAME, UNREADABLE_FLAGS, FAILURES };
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FAILURES);
    __type(key, enum failure);
    __type(value, u64);
} failures SEC(".maps");

static void failed(enum failure failure)
{
    u64 *count = bpf_map_lookup_elem(&failures, &failure);
    if (count)
        __sync_fetch_and_add(count, 1);
}

// The name is a pointer into the process. Its text may still be on disk, and these programs cannot wait for
// that: it is read when the call returns.
static int begins(struct call *call)
{
    u32 thread = bpf_get_current_pid_tgid();
    if (bpf_map_update_elem(&calls, &thread, call, BPF_ANY))
        failed(NO_ROOM_FOR_CALL);
    return 0;
}

static int returns(long ret)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call *call = bpf_map_lookup_elem(&calls, &thread);
    if (!call)  // it began before the trace did
        return 0;

    // Reserved in the ring buffer, because a BPF program's stack has 512 bytes only.
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
        u64 flags = call->flags;
        if (call->how && bpf_probe_read_user(&flags, sizeof(flags), &call->how->flags))
            failed(UNREADABLE_FLAGS);

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
            failed(UNREADABLE_NAME);
        }
        bpf_ringbuf_submit(event, 0);
    }
    bpf_map_delete_elem(&calls, &thread);
    return 0;
}

SEC("tracepoint/syscalls/sys_enter_openat")
int openat_enter(struct trace_event_raw_sys_enter *ctx)  // openat(dfd, filename, flags, mode)
{
    struct call call = {.name = openat, .filename = (void *)ctx->args[1], .flags = ctx->args[2]};
    return begins(&call);
}

SEC("tracepoint/syscalls/sys_exit_openat")
int openat_exit(struct trace_event_raw_sys_exit *ctx)
{
    return returns(ctx->ret);
}

SEC("tracepoint/syscalls/sys_enter_openat2")
int openat2_enter(struct trace_event_raw_sys_enter *ctx)  // openat2(dfd, filename, how, size)
{
    struct call call = {.name = openat2, .filename = (void *)ctx->args[1], .how = (void *)ctx->args[2]};
    return begins(&call);
}

SEC("tracepoint/syscalls/sys_exit_openat2")
int openat2_exit(struct trace_event_raw_sys_exit *ctx)
{
    return returns(ctx->ret);
}

// Newer architectures have no open(). "?" leaves a program out where there is nothing to attach it to.
SEC("?tracepoint/syscalls/sys_enter_open")
int open_enter(struct trace_event_raw_sys_enter *ctx)  // open(filename, flags, mode)
{
    struct call call = {.name = open, .filename = (void *)ctx->args[0], .flags = ctx->args[1]};
    return begins(&call);
}

SEC("?tracepoint/syscalls/sys_exit_open")
int open_exit(struct trace_event_raw_sys_exit *ctx)
{
    return returns(ctx->ret);
}

// SPDX-License-Identifier: GPL-2.0
// title:    Every system call of a command
// teaches:  entry and exit joined per thread, following children from their first instruction, events of two
//           types and of any length, maps that the lab fills
// attach:   tracepoint:raw_syscalls:sys_enter, tracepoint:raw_syscalls:sys_exit,
//           tracepoint:sched:sched_process_fork, tracepoint:sched:sched_process_exec,
//           tracepoint:sched:sched_process_exit
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// workload: i=0; while [ $i -lt 23 ]; do cat /etc/hostname; i=$((i + 1)); done; (cat /no/such || true) 2>&1
// from:     events.call
// emits:    ts u64 | duration_ns u64 | pid u32 | tid u32 | comm str | cpu u32 | nr s32 | nr_name str
//           | call str | path str | ret s64 | ret_errno str | args[0] hex | args[1] hex | args[2] hex
//           | args[3] hex | args[4] hex | args[5] hex
// expect:   rows == 23 where nr_name == "openat" and path == "/etc/hostname" and call contains ") = 3<"
//           rows == 23 where call contains "[\"cat\", \"/etc/hostname\"]" and ret == 0
//           rows == 26 where nr_name == "exit_group" and call contains ") = ?"
//           rows == 1 where path == "/no/such" and ret_errno == "ENOENT"
//           rows == 23 where nr_name == "close" and call contains "3</etc/hostname>"
// limits:   what arguments point to is read when the call returns (execve's before), for a call that never
//           returns not at all; descriptors are named by the path they were opened with, those received over
//           a socket not at all; calls of 32-bit programs are counted, not shown; needs a command to follow
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define PATH 4096  // PATH_MAX: the longest name that the kernel takes
#define WORDS 33   // as many of execve's arguments are read (one more than is shown),
#define WORD 128   // and as many bytes of each

const volatile u32 data_size = 32;  // bytes shown of what is read and written; --set data_size=N

enum failure { UNREADABLE_ARGUMENT, NO_ROOM_FOR_CALL, CALL_OF_32_BIT_PROGRAM, FAILURES };

// Why a thread is in "followed". The lab puts the thread in that starts the command, this program all others.
enum thread_role {
    ROLE_LAUNCHER = 1,  // its children are followed, itself is not
    ROLE_STARTING,      // such a child, until it executes the command
    ROLE_FOLLOWED,      // the command, and all that comes of it
};

// How an argument points to something; the lab knows it for each system call from the kernel's headers.
enum shape_kind { SHAPE_NONE, SHAPE_STRING, SHAPE_STRINGS, SHAPE_FIXED, SHAPE_SIZED, SHAPE_RETURNED };

struct shape {
    u8 kind;
    u8 argument;  // which one points
    u8 length;    // SHAPE_SIZED: which argument has the number of bytes
    u8 unused;
    u32 size;     // bytes at most; 0 for data_size
};

struct shapes {
    u32 early;  // to be read before the call, which replaces the memory: execve
    struct shape at[3];
};

// A call that has begun.
struct pending {
    u64 ts;
    u64 nr;
    u64 args[6];
};

struct call {
    u64 ts;
    u64 duration_ns;
    u32 pid;
    u32 tid;
    char comm[16];
    u32 cpu;
    int nr;
    s64 ret;
    void *args[6];
    bool returned;  // not from exit, nor when the thread was killed
    u8 unused;
    s16 sizes[3];   // bytes in "data" of each thing pointed to; -1 for what was not read
    u8 data[];
};

// A new thread or process; sent before it runs, so that it comes before its calls.
struct start {
    u64 ts;
    u32 tid;
    u32 parent;  // the id of the thread that made it
    u64 nr;     // the call that did it: clone, clone3, fork, vfork
    u64 flags;  // its first argument: clone's flags,
    u64 at;     // and what is there if it is an address: clone3's flags
};

struct call_buffer {
    struct call call;
    u8 data[3 * PATH];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, u32);
} followed SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1024);
    __type(key, u32);
    __type(value, struct shapes);
} shapes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, struct pending);
} entries SEC(".maps");

// execve's arguments, by thread, until it returns.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, u32);
    __type(value, struct call_buffer);
} early SEC(".maps");

// Memory for one event on each CPU: a program's stack has 512 bytes only.
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct call_buffer);
} buffers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 32 * 1024 * 1024);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FAILURES);
    __type(key, enum failure);
    __type(value, u64);
} failures SEC(".maps");

static void count(enum failure failure)
{
    u64 *number = bpf_map_lookup_elem(&failures, &failure);
    if (number)
        *number += 1;
}

// A 32-bit program numbers its calls differently: they would be taken for others.
static __always_inline bool is_32_bit(void)
{
    struct task_struct *task = (void *)bpf_get_current_task_btf();
#if defined(__TARGET_ARCH_x86)
    return task->thread_info.status & 2;  // TS_COMPAT
#elif defined(__TARGET_ARCH_arm64)
    return task->thread_info.flags & (1 << 22);  // TIF_32BIT
#else
    return false;
#endif
}

static __always_inline struct call_buffer *describe(struct pending *entry)
{
    u32 zero = 0;
    struct call_buffer *buffer = bpf_map_lookup_elem(&buffers, &zero);
    if (!buffer)
        return NULL;
    u64 id = bpf_get_current_pid_tgid();
    struct call *call = &buffer->call;
    call->ts = entry->ts;
    call->pid = id >> 32;
    call->tid = id;
    bpf_get_current_comm(call->comm, sizeof(call->comm));
    call->cpu = bpf_get_smp_processor_id();
    call->nr = entry->nr;
    for (int i = 0; i < 6; i++)
        call->args[i] = (void *)entry->args[i];
    for (int i = 0; i < 3; i++)
        call->sizes[i] = -1;
    call->unused = 0;
    return buffer;
}

// Copies one thing that an argument points to behind what is there already; returns how much is there then.
static __always_inline u64 copy(struct call_buffer *buffer, u64 used, int i, struct shape *shape,
                                struct pending *entry, s64 ret)
{
    if (shape->kind == SHAPE_NONE || shape->argument > 5 || shape->length > 5)
        return used;
    if (used > sizeof(buffer->data) - PATH)
        return used;
    const void *address = (const void *)entry->args[shape->argument];
    if (!address)
        return used;
    u64 wanted = shape->size ? shape->size : data_size;
    if (shape->kind == SHAPE_SIZED && entry->args[shape->length] < wanted)
        wanted = entry->args[shape->length];
    if (shape->kind == SHAPE_RETURNED && ret < (s64)wanted)
        wanted = ret < 0 ? 0 : ret;
    if (wanted > PATH)
        wanted = PATH;
    long size;
    if (shape->kind == SHAPE_STRING)
        size = bpf_probe_read_user_str(buffer->data + used, PATH, address);
    else
        size = bpf_probe_read_user(buffer->data + used, wanted, address) ? -1 : (long)wanted;
    if (size < 0) {
        if (ret != -14)  // EFAULT: the kernel could not read it either
            count(UNREADABLE_ARGUMENT);
        return used;
    }
    buffer->call.sizes[i] = size;
    return used + size;
}

// The same for execve's arguments: an array of addresses of strings, up to NULL.
static __always_inline void copy_strings(struct call_buffer *buffer, u64 used, const u64 *addresses)
{
    u64 begin = used;
    for (int i = 0; i < WORDS && used <= sizeof(buffer->data) - WORD; i++) {
        const void *address = NULL;
        long size = bpf_probe_read_user(&address, sizeof(address), addresses + i);
        if (!size && !address)
            break;
        if (!size)
            size = bpf_probe_read_user_str(buffer->data + used, WORD, address);
        if (size < 0) {
            count(UNREADABLE_ARGUMENT);
            break;
        }
        used += size;
    }
    buffer->call.sizes[1] = used - begin;
}

static __always_inline void copy_all(struct call_buffer *buffer, struct shapes *shapes,
                                     struct pending *entry, s64 ret)
{
    u64 used = copy(buffer, 0, 0, &shapes->at[0], entry, ret);
    u8 argument = shapes->at[1].argument;
    if (shapes->early) {
        if (argument <= 5)
            copy_strings(buffer, used, (const u64 *)entry->args[argument]);
        return;
    }
    used = copy(buffer, used, 1, &shapes->at[1], entry, ret);
    copy(buffer, used, 2, &shapes->at[2], entry, ret);
}

static __always_inline void send(struct call_buffer *buffer, u64 duration, bool returned, s64 ret)
{
    struct call *call = &buffer->call;
    call->duration_ns = duration;
    call->returned = returned;
    call->ret = ret;
    u32 size = sizeof(*call);
    for (int i = 0; i < 3; i++)
        size += call->sizes[i] > 0 ? call->sizes[i] : 0;
    if (size <= sizeof(*buffer))  // always; the verifier cannot know
        bpf_ringbuf_output(&events, call, size, 0);
}

SEC("tracepoint/raw_syscalls/sys_enter")
int call_enter(struct trace_event_raw_sys_enter *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u32 *role = bpf_map_lookup_elem(&followed, &thread);
    if (!role || *role == ROLE_LAUNCHER)
        return 0;
    if (is_32_bit()) {
        count(CALL_OF_32_BIT_PROGRAM);
        return 0;
    }
    u32 nr = ctx->id;
    struct shapes *pointed = bpf_map_lookup_elem(&shapes, &nr);
    bool executes = pointed && pointed->early;
    if (*role == ROLE_STARTING) {
        if (!executes)
            return 0;
        *role = ROLE_FOLLOWED;  // the first instruction of the command's own
    }

    struct pending entry = {
        .ts = bpf_ktime_get_ns(),
        .nr = nr,
        .args = {ctx->args[0], ctx->args[1], ctx->args[2], ctx->args[3], ctx->args[4], ctx->args[5]},
    };
    if (bpf_map_update_elem(&entries, &thread, &entry, BPF_ANY))
        count(NO_ROOM_FOR_CALL);
    if (executes) {
        struct call_buffer *buffer = describe(&entry);
        if (!buffer)
            return 0;
        copy_all(buffer, pointed, &entry, 0);
        if (bpf_map_update_elem(&early, &thread, buffer, BPF_ANY))
            count(NO_ROOM_FOR_CALL);
    }
    return 0;
}

SEC("tracepoint/raw_syscalls/sys_exit")
int call_exit(struct trace_event_raw_sys_exit *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct pending *entry = bpf_map_lookup_elem(&entries, &thread);
    if (!entry)  // nobody's whom we follow
        return 0;
    u64 duration = bpf_ktime_get_ns() - entry->ts;
    u32 nr = entry->nr;
    struct shapes *pointed = bpf_map_lookup_elem(&shapes, &nr);
    struct call_buffer *buffer = NULL;
    if (pointed && pointed->early)
        buffer = bpf_map_lookup_elem(&early, &thread);
    if (buffer) {
        send(buffer, duration, true, ctx->ret);
        bpf_map_delete_elem(&early, &thread);
    } else {
        buffer = describe(entry);
        if (!buffer)
            return 0;
        // By now the kernel itself has read its arguments, and they are in memory.
        if (pointed && !pointed->early)
            copy_all(buffer, pointed, entry, ctx->ret);
        send(buffer, duration, true, ctx->ret);
    }
    bpf_map_delete_elem(&entries, &thread);
    return 0;
}

SEC("tracepoint/sched/sched_process_fork")
int thread_start(struct trace_event_raw_sched_process_fork *ctx)
{
    // Called in the parent, before the child runs: no instruction of it can be missed.
    u32 parent = bpf_get_current_pid_tgid(), child = ctx->child_pid;
    u32 *known = bpf_map_lookup_elem(&followed, &parent);
    if (!known)
        return 0;
    u32 role = *known == ROLE_FOLLOWED ? ROLE_FOLLOWED : ROLE_STARTING;
    if (bpf_map_update_elem(&followed, &child, &role, BPF_ANY))
        count(NO_ROOM_FOR_CALL);
    struct pending *entry = bpf_map_lookup_elem(&entries, &parent);
    if (!entry)
        return 0;
    struct start start = {.ts = bpf_ktime_get_ns(), .tid = child, .parent = parent};
    start.nr = entry->nr;
    start.flags = entry->args[0];
    bpf_probe_read_user(&start.at, sizeof(start.at), (void *)entry->args[0]);
    bpf_ringbuf_output(&events, &start, sizeof(start), 0);
    return 0;
}

SEC("tracepoint/sched/sched_process_exec")
int thread_renamed(struct trace_event_raw_sched_process_exec *ctx)
{
    // A thread that executes a program ends all others of its process, and takes the id of the first one.
    u32 old = ctx->old_pid, new = bpf_get_current_pid_tgid();
    u32 *role = bpf_map_lookup_elem(&followed, &old);
    struct pending *entry = bpf_map_lookup_elem(&entries, &old);
    struct call_buffer *buffer = bpf_map_lookup_elem(&early, &old);
    if (old == new || !role || !entry || !buffer)
        return 0;
    bpf_map_update_elem(&followed, &new, role, BPF_ANY);
    bpf_map_update_elem(&entries, &new, entry, BPF_ANY);
    bpf_map_update_elem(&early, &new, buffer, BPF_ANY);
    bpf_map_delete_elem(&followed, &old);
    bpf_map_delete_elem(&entries, &old);
    bpf_map_delete_elem(&early, &old);
    return 0;
}

SEC("tracepoint/sched/sched_process_exit")
int thread_exit(void *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct pending *entry = bpf_map_lookup_elem(&entries, &thread);
    if (entry) {
        // exit, exit_group, or the call in which the thread was killed. Its memory is gone already.
        struct call_buffer *buffer = describe(entry);
        if (buffer)
            send(buffer, bpf_ktime_get_ns() - entry->ts, false, 0);
    }
    bpf_map_delete_elem(&followed, &thread);
    bpf_map_delete_elem(&entries, &thread);
    bpf_map_delete_elem(&early, &thread);
    return 0;
}

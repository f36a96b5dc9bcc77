// SPDX-License-Identifier: GPL-2.0
// title:    Every program that is started, and every attempt that failed
// teaches:  entry and return joined by task, strings that only the new program has, namespaces, kernel structs
// attach:   tracepoint:syscalls:sys_enter_execve, tracepoint:syscalls:sys_exit_execve
//           tracepoint:syscalls:sys_enter_execveat, tracepoint:syscalls:sys_exit_execveat
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// workload: for i in $(seq 23); do /bin/true; done; /no/such; /bin/echo 'two words' > /dev/null
// emits:    ts u64 | cgroup_id u64 | pid u32 | ppid u32 | uid u32 | uid_name str | ret s32 | ret_errno str
//           | ns_level u32 | ns_pid u32 | args_size u32 | comm str | cgroup str | args str | file str
// expect:   rows == 23 where comm == "true" and file == "/bin/true" and args == "/bin/true" and ret == 0
//           rows == 1 where file == "/no/such" and args == "/no/such" and ret == -2 and ret_errno == "ENOENT"
//           rows == 1 where args == "/bin/echo 'two words'" and comm == "echo"
//           rows == 0 where file == ""
//           rows == 0 where args == ""
// limits:   "container" means a PID namespace below the first one (ns_level > 0; ns_pid is the number in there): one
//           without a namespace of its own is not told apart; of a script the arguments are its interpreter's; arguments
//           beyond 4096 bytes, and those of a failed call beyond 64, are cut (…); cgroup is the last part of its path
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define ARGS_SIZE 4096
#define MOST_ARGS 64

// --set containers_only=1 leaves out, in the kernel already, what is not in a PID namespace of its own.
const volatile bool containers_only = false;

struct call {
    const char *file;
    const char *const *argv;
};

struct event {
    u64 ts;
    u64 cgroup_id;
    u32 pid;
    u32 ppid;
    u32 uid;
    int ret;
    u32 ns_level;  // PID namespaces around this one: 0 is the machine's own
    u32 ns_pid;    // the process's number in the innermost of them
    // Arguments with a zero byte behind each, as the kernel keeps them; the frame shows them as a shell would have
    // them. They are read before the file: the last one may run over its end, into the file's place.
    u32 args_size;
    char comm[16];
    char cgroup[128];
    char args[ARGS_SIZE];
    char file[4096];  // PATH_MAX: the longest name that the kernel takes
};

// Calls that have begun and not yet returned, by the address of the task: a thread's number changes when it is not
// the first of its process, for execve() ends all others and takes the first one's number.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u64);
    __type(value, struct call);
} calls SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 16 * 1024 * 1024);  // room for a burst of 2000 events
} events SEC(".maps");

// What went wrong, and how often: the header line of the frame says so.
enum failure { NO_ROOM_FOR_CALL, UNREADABLE_ARGUMENTS, UNREADABLE_FILE, UNREADABLE_CGROUP, FAILURES };
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

static u32 ns_level(struct task_struct *task)
{
    return BPF_CORE_READ(task, group_leader, thread_pid, level);
}

static int begins(const char *file, const char *const *argv)
{
    u64 task = bpf_get_current_task();
    struct call call = {.file = file, .argv = argv};
    if (containers_only && !ns_level((void *)task))
        return 0;
    if (bpf_map_update_elem(&calls, &task, &call, BPF_ANY))
        failed(NO_ROOM_FOR_CALL);
    return 0;
}

// A call that succeeded has replaced the memory that its pointers were into. But the kernel has put the arguments
// onto the new program's stack, behind them its environment, and behind that the name of the file.
static void read_new_program(struct event *event, u64 task)
{
    struct mm_struct *mm = BPF_CORE_READ((struct task_struct *)task, mm);
    u64 start = BPF_CORE_READ(mm, arg_start), end = BPF_CORE_READ(mm, arg_end);
    u64 file = BPF_CORE_READ(mm, env_end);

    u64 size = end - start;
    if (size > ARGS_SIZE)
        size = ARGS_SIZE;
    if (bpf_probe_read_user(event->args, size, (void *)start)) {
        failed(UNREADABLE_ARGUMENTS);
        size = 0;
    }
    // Without a zero byte behind the last one the frame marks it as cut.
    if (end - start > ARGS_SIZE && !event->args[ARGS_SIZE - 1])
        size = ARGS_SIZE - 1;
    event->args_size = size;
    if (bpf_probe_read_user_str(event->file, sizeof(event->file), (void *)file) < 0) {
        event->file[0] = 0;
        failed(UNREADABLE_FILE);
    }
}

// After a call that failed everything is as it was; and what the kernel has read is in memory.
static void read_attempt(struct event *event, struct call *call)
{
    u32 size = 0;
    for (int i = 0; i <= MOST_ARGS; i++) {
        const char *argument = 0;
        if (bpf_probe_read_user(&argument, sizeof(argument), &call->argv[i])) {
            failed(UNREADABLE_ARGUMENTS);
            break;
        }
        if (!argument)
            break;
        if (i == MOST_ARGS || size >= ARGS_SIZE) {  // one too many: marked as above
            size--;
            break;
        }
        long length = bpf_probe_read_user_str(&event->args[size], ARGS_SIZE + 1, argument);
        if (length < 0) {
            failed(UNREADABLE_ARGUMENTS);
            break;
        }
        size += length;
        if (size > ARGS_SIZE) {
            size = ARGS_SIZE;
            break;
        }
    }
    event->args_size = size;
    if (bpf_probe_read_user_str(event->file, sizeof(event->file), call->file) < 0) {
        event->file[0] = 0;
        failed(UNREADABLE_FILE);
    }
}

static int returns(long ret)
{
    u64 task = bpf_get_current_task();
    struct call *call = bpf_map_lookup_elem(&calls, &task);
    if (!call)  // it began before the trace did, or not in a container
        return 0;

    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->cgroup_id = bpf_get_current_cgroup_id();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->uid = bpf_get_current_uid_gid();
        event->ret = ret;  // 0, or minus the error
        bpf_get_current_comm(event->comm, sizeof(event->comm));

        // Each step of such a chain is a read of kernel memory, at offsets that are the running kernel's.
        struct task_struct *current = (void *)task;
        event->ppid = BPF_CORE_READ(current, real_parent, tgid);
        u32 level = ns_level(current);
        event->ns_level = level;
        struct pid *pid = BPF_CORE_READ(current, group_leader, thread_pid);
        struct upid *numbers = &pid->numbers[0];  // one for each level
        event->ns_pid = BPF_CORE_READ(numbers + level, nr);
        const char *cgroup = BPF_CORE_READ(current, cgroups, dfl_cgrp, kn, name);
        if (bpf_probe_read_kernel_str(event->cgroup, sizeof(event->cgroup), cgroup) < 0) {
            event->cgroup[0] = 0;
            failed(UNREADABLE_CGROUP);
        } else if (!event->cgroup[0]) {  // the first group has no name
            event->cgroup[0] = '/';
            event->cgroup[1] = 0;
        }

        if (ret == 0)
            read_new_program(event, task);
        else
            read_attempt(event, call);
        bpf_ringbuf_submit(event, 0);
    }
    bpf_map_delete_elem(&calls, &task);
    return 0;
}

SEC("tracepoint/syscalls/sys_enter_execve")
int execve_enter(struct trace_event_raw_sys_enter *ctx)  // execve(file, argv, envp)
{
    return begins((void *)ctx->args[0], (void *)ctx->args[1]);
}

SEC("tracepoint/syscalls/sys_exit_execve")
int execve_exit(struct trace_event_raw_sys_exit *ctx)
{
    return returns(ctx->ret);
}

SEC("tracepoint/syscalls/sys_enter_execveat")
int execveat_enter(struct trace_event_raw_sys_enter *ctx)  // execveat(dfd, file, argv, envp, flags)
{
    return begins((void *)ctx->args[1], (void *)ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_exit_execveat")
int execveat_exit(struct trace_event_raw_sys_exit *ctx)
{
    return returns(ctx->ret);
}

// SPDX-License-Identifier: GPL-2.0
// title:    Every program that is started, and every attempt that failed
// teaches:  entry and return joined by task, strings that only the new program has, namespaces, kernel structs
// attach:   tracepoint:syscalls:sys_enter_execve, tracepoint:syscalls:sys_exit_execve
//           tracepoint:syscalls:sys_enter_execveat, tracepoint:syscalls:sys_exit_execveat
// needs:    tracepoint, ringbuf, btf, bcc, headers
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
#define ARGS_SIZE 4096
#define MOST_ARGS 64

// --set containers_only=1 leaves out, in the kernel already, what is not in a PID namespace of its own.
#define containers_only 0

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
BPF_HASH(calls, u64, struct call);

BPF_RINGBUF_OUTPUT(events, 4096);  // pages: room for a burst of 2000 events

// What went wrong, and how often: the header line of the frame says so.
enum failure { NO_ROOM_FOR_CALL, UNREADABLE_ARGUMENTS, UNREADABLE_FILE, UNREADABLE_CGROUP, FAILURES };
BPF_PERCPU_ARRAY(failures, u64, FAILURES);

// Kernel structs are read at the running kernel's offsets, which its BTF has: the headers that this is compiled with
// may be another kernel's. BTF_OFFSET is the lab's own addition to bcc.
static u64 word_at(u64 address)
{
    u64 word = 0;
    bpf_probe_read_kernel(&word, sizeof(word), (void *)address);
    return word;
}

static u32 half_word_at(u64 address)
{
    u32 half_word = 0;
    bpf_probe_read_kernel(&half_word, sizeof(half_word), (void *)address);
    return half_word;
}

static u64 process_number(u64 task)  // its struct pid
{
    return word_at(word_at(task + BTF_OFFSET(task_struct, group_leader)) + BTF_OFFSET(task_struct, thread_pid));
}

static u32 ns_level(u64 task)
{
    return half_word_at(process_number(task) + BTF_OFFSET(pid, level));
}

static int begins(const char *file, const char *const *argv)
{
    u64 task = bpf_get_current_task();
    struct call call = {.file = file, .argv = argv};
    if (containers_only && !ns_level(task))
        return 0;
    if (calls.update(&task, &call))
        failures.increment(NO_ROOM_FOR_CALL);
    return 0;
}

// A call that succeeded has replaced the memory that its pointers were into. But the kernel has put the arguments
// onto the new program's stack, behind them its environment, and behind that the name of the file.
static void read_new_program(struct event *event, u64 task)
{
    u64 mm = word_at(task + BTF_OFFSET(task_struct, mm));
    u64 start = word_at(mm + BTF_OFFSET(mm_struct, arg_start)), end = word_at(mm + BTF_OFFSET(mm_struct, arg_end));
    u64 file = word_at(mm + BTF_OFFSET(mm_struct, env_end));

    u64 size = end - start;
    if (size > ARGS_SIZE)
        size = ARGS_SIZE;
    if (bpf_probe_read_user(event->args, size, (void *)start)) {
        failures.increment(UNREADABLE_ARGUMENTS);
        size = 0;
    }
    // Without a zero byte behind the last one the frame marks it as cut.
    if (end - start > ARGS_SIZE && !event->args[ARGS_SIZE - 1])
        size = ARGS_SIZE - 1;
    event->args_size = size;
    if (bpf_probe_read_user_str(event->file, sizeof(event->file), (void *)file) < 0) {
        event->file[0] = 0;
        failures.increment(UNREADABLE_FILE);
    }
}

// After a call that failed everything is as it was; and what the kernel has read is in memory.
static void read_attempt(struct event *event, struct call *call)
{
    u32 size = 0;
    for (int i = 0; i <= MOST_ARGS; i++) {
        const char *argument = 0;
        if (bpf_probe_read_user(&argument, sizeof(argument), &call->argv[i])) {
            failures.increment(UNREADABLE_ARGUMENTS);
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
            failures.increment(UNREADABLE_ARGUMENTS);
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
        failures.increment(UNREADABLE_FILE);
    }
}

static int returns(long ret)
{
    u64 task = bpf_get_current_task();
    struct call *call = calls.lookup(&task);
    if (!call)  // it began before the trace did, or not in a container
        return 0;

    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->cgroup_id = bpf_get_current_cgroup_id();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->uid = bpf_get_current_uid_gid();
        event->ret = ret;  // 0, or minus the error
        bpf_get_current_comm(event->comm, sizeof(event->comm));

        u64 parent = word_at(task + BTF_OFFSET(task_struct, real_parent));
        event->ppid = half_word_at(parent + BTF_OFFSET(task_struct, tgid));
        event->ns_level = ns_level(task);
        u64 numbers = process_number(task) + BTF_OFFSET(pid, numbers);  // one for each level
        event->ns_pid = half_word_at(numbers + event->ns_level * BTF_SIZE(upid) + BTF_OFFSET(upid, nr));
        u64 cgroup = word_at(word_at(task + BTF_OFFSET(task_struct, cgroups)) + BTF_OFFSET(css_set, dfl_cgrp));
        u64 name = word_at(word_at(cgroup + BTF_OFFSET(cgroup, kn)) + BTF_OFFSET(kernfs_node, name));
        if (bpf_probe_read_kernel_str(event->cgroup, sizeof(event->cgroup), (void *)name) < 0) {
            event->cgroup[0] = 0;
            failures.increment(UNREADABLE_CGROUP);
        } else if (!event->cgroup[0]) {  // the first group has no name
            event->cgroup[0] = '/';
            event->cgroup[1] = 0;
        }

        if (ret == 0)
            read_new_program(event, task);
        else
            read_attempt(event, call);
        events.ringbuf_submit(event, 0);
    }
    calls.delete(&task);
    return 0;
}

TRACEPOINT_PROBE(syscalls, sys_enter_execve)
{
    return begins(args->filename, args->argv);
}

TRACEPOINT_PROBE(syscalls, sys_exit_execve)
{
    return returns(args->ret);
}

TRACEPOINT_PROBE(syscalls, sys_enter_execveat)
{
    return begins(args->filename, args->argv);
}

TRACEPOINT_PROBE(syscalls, sys_exit_execveat)
{
    return returns(args->ret);
}

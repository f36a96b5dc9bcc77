// SPDX-License-Identifier: GPL-2.0
// title:    Who asks the kernel for new credentials
// teaches:  kprobe and kretprobe paired by thread, kernel stacks, a kernel pointer as a result
// attach:   cred_enter=kprobe:prepare_kernel_cred, cred_exit=kretprobe:prepare_kernel_cred
// needs:    kprobe, ringbuf, bcc, headers
// scope:    system
// workload: python3 -c 'import ctypes; c = ctypes.CDLL(None); [c.socket(41, 1, 0) for call in range(23)]'
// emits:    ts u64 | pid u32 | tid u32 | uid u32 | uid_name str | stack_id s32 | stack str | comm str | cred hex
// expect:   rows == 23 where comm contains "kworker" and stack contains "call_usermodehelper_exec_async" and cred > 0
//           rows == 0 where cred == 0
// limits:   a socket of a protocol that the kernel does not know makes it run modprobe, which takes credentials: a
//           kernel thread asks, on behalf of whoever opened the socket, and only the process can be seen, not the one
//           behind it; other ways to root (commit_creds with an old credential) do not pass here
#include <uapi/linux/ptrace.h>

struct event {
    u64 ts;
    u32 pid;
    u32 tid;
    u32 uid;
    int stack_id;
    char comm[16];
    void *cred;
};

// Calls that have begun and not yet returned: the stack that each thread called from.
BPF_HASH(calls, u32, int);

BPF_STACK_TRACE(stacks, 1024);  // each different call chain once, under the number that events carry

BPF_RINGBUF_OUTPUT(events, 64);

// What went wrong, and how often: the header line of the frame says so.
enum failure { NO_ROOM_FOR_CALL, NO_STACK, FAILURES };
BPF_PERCPU_ARRAY(failures, u64, FAILURES);

int cred_enter(struct pt_regs *ctx)
{
    // Here and not at the return, where the caller's address on the stack is the kretprobe's own.
    int stack = stacks.get_stackid(ctx, 0);
    if (stack < 0)
        failures.increment(NO_STACK);

    u32 thread = bpf_get_current_pid_tgid();
    if (calls.update(&thread, &stack))
        failures.increment(NO_ROOM_FOR_CALL);
    return 0;
}

int cred_exit(struct pt_regs *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    u32 thread = id;
    int *stack = calls.lookup(&thread);
    if (!stack)  // it began before the trace did
        return 0;

    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->pid = id >> 32;
        event->tid = id;
        event->uid = bpf_get_current_uid_gid();
        event->stack_id = *stack;
        event->cred = (void *)PT_REGS_RC(ctx);
        bpf_get_current_comm(event->comm, sizeof(event->comm));
        events.ringbuf_submit(event, 0);
    }
    calls.delete(&thread);
    return 0;
}

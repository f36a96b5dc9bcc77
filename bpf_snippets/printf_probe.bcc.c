// SPDX-License-Identifier: GPL-2.0
// title:    Every printf(): its format, and how much it printed
// teaches:  uprobe and uretprobe in pairs, strings not yet in memory
// attach:   printf_enter=uprobe:libc:printf, printf_exit=uretprobe:libc:printf
// needs:    uprobe, ringbuf, bcc, headers
// workload: python3 -c 'import ctypes; c = ctypes.CDLL(None); [c.printf(b"line %02d, ", i) for i in range(23)]'
// emits:    ts u64 | pid u32 | length s32 | comm str | format str
// expect:   rows == 23 where comm == "python3" and format == "line %02d, " and length == 9
// limits:   compilers turn printf("x\n") into puts("x"), and fortified programs call __printf_chk: neither is seen
#include <uapi/linux/ptrace.h>

struct event {
    u64 ts;
    u32 pid;
    int length;
    char comm[16];
    char format[256];
};

// Calls that have begun and not yet returned: where each thread's format string is.
BPF_HASH(calls, u32, u64);

BPF_RINGBUF_OUTPUT(events, 64);

int printf_enter(struct pt_regs *ctx)
{
    // Only the address: the text of a format string is read from disk when it is first used, which is after
    // this probe, and this program cannot wait for that.
    u64 format = PT_REGS_PARM1(ctx);
    u32 thread = bpf_get_current_pid_tgid();
    calls.update(&thread, &format);
    return 0;
}

int printf_exit(struct pt_regs *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 *format = calls.lookup(&thread);
    if (!format)  // it began before the trace did
        return 0;

    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->length = PT_REGS_RC(ctx);
        bpf_get_current_comm(event->comm, sizeof(event->comm));
        // By now printf itself has read the string, and it is in memory.
        bpf_probe_read_user_str(event->format, sizeof(event->format), (const char *)*format);
        events.ringbuf_submit(event, 0);
    }
    calls.delete(&thread);
    return 0;
}

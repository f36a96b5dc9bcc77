// SPDX-License-Identifier: GPL-2.0
// title:    Every printf(): its format, and how much it printed
// teaches:  uprobe and uretprobe paired by thread, strings not yet in memory
// attach:   printf_enter=uprobe:libc:printf, printf_exit=uretprobe:libc:printf
// needs:    uprobe, ringbuf, bcc, headers
// workload: python3 -c 'import ctypes; c = ctypes.CDLL(None); [c.printf(b"line %02d, ", i) for i in range(23)]'
// emits:    ts u64 | pid u32 | length s32 | comm str | cut bool | format str
// expect:   rows == 23 where comm == "python3" and format == "line %02d, " and length == 9 and cut == 0
// limits:   compilers turn printf("x\n") into puts("x"), and fortified programs call __printf_chk: neither is seen;
//           a program that leaves printf by longjmp() or is killed in it has no row
#include <uapi/linux/ptrace.h>

#define FORMAT_SIZE 256

struct event {
    u64 ts;
    u32 pid;
    int length;
    char comm[16];
    bool cut;  // the format is longer
    char format[FORMAT_SIZE];
};

// Calls that have begun and not yet returned: where each thread's format string is.
BPF_HASH(calls, u32, u64);

BPF_RINGBUF_OUTPUT(events, 64);

// What went wrong, and how often: the header line of the frame says so.
enum failure { NO_ROOM_FOR_CALL, UNREADABLE_FORMAT, FAILURES };
BPF_PERCPU_ARRAY(failures, u64, FAILURES);

int printf_enter(struct pt_regs *ctx)
{
    // Only the address: the text of a format string is read from disk when it is first used, which is after
    // this probe, and this program cannot wait for that.
    u64 format = PT_REGS_PARM1(ctx);
    u32 thread = bpf_get_current_pid_tgid();
    if (calls.update(&thread, &format))
        failures.increment(NO_ROOM_FOR_CALL);
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
        int size = bpf_probe_read_user_str(event->format, FORMAT_SIZE, (const char *)*format);
        if (size < 0) {
            event->format[0] = 0;
            failures.increment(UNREADABLE_FORMAT);
        }
        // The helper ends what it cuts with a zero byte, too: the next byte tells.
        char next = 0;
        if (size == FORMAT_SIZE)
            bpf_probe_read_user(&next, 1, (const char *)*format + FORMAT_SIZE - 1);
        event->cut = next != 0;
        events.ringbuf_submit(event, 0);
    }
    calls.delete(&thread);
    return 0;
}

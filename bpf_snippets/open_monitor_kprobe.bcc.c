// SPDX-License-Identifier: GPL-2.0
// title:    Who opens which file (kprobe, perf buffer)
// teaches:  kprobe arguments, strings from user memory, per-CPU scratch memory
// attach:   ksyscall:openat, ksyscall:openat2, syscall__open=?ksyscall:open
// needs:    kprobe, perfbuf, bcc, headers
// workload: i=0; while [ $i -lt 23 ]; do cat /etc/hostname; i=$((i + 1)); done
// emits:    ts u64 | pid u32 | uid u32 | uid_name str | flags s32 | flags_names str | comm str | filename str
// expect:   rows == 23 where comm == "cat" and filename == "/etc/hostname" and flags_names == "O_RDONLY"
// limits:   not what came of it; relative names as given; a name not yet in memory reads as empty, and is counted
#include <uapi/linux/openat2.h>
#include <uapi/linux/ptrace.h>

struct event {
    u64 ts;
    u32 pid;
    u32 uid;
    int flags;
    char comm[16];
    char filename[4096];  // PATH_MAX: the longest name that the kernel takes
};

BPF_PERF_OUTPUT(events);  // one buffer a CPU; the reader sets their size

// A perf buffer takes a finished event, which has to be put together somewhere, and a BPF program's stack
// has 512 bytes only. One element a CPU is enough: nothing interrupts the program to run it again.
BPF_PERCPU_ARRAY(scratch, struct event, 1);

// What went wrong, and how often: the header line of the frame says so.
enum failure { UNREADABLE_NAME, UNREADABLE_FLAGS, FAILURES };
BPF_PERCPU_ARRAY(failures, u64, FAILURES);

static int send(struct pt_regs *ctx, const char *filename, int flags)
{
    int first = 0;
    struct event *event = scratch.lookup(&first);
    if (!event)  // never, but the verifier wants to see that it was checked
        return 0;

    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->uid = bpf_get_current_uid_gid();  // the lower half; the group is in the upper one
    event->flags = flags;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    if (bpf_probe_read_user_str(event->filename, sizeof(event->filename), filename) < 0) {
        event->filename[0] = 0;
        failures.increment(UNREADABLE_NAME);
    }

    // The whole event, whatever the name's length: Linux 6.1 cannot see that a smaller size is bounded.
    events.perf_submit(ctx, event, sizeof(*event));
    return 0;
}

// On most architectures the function behind a system call gets its arguments wrapped in a struct pt_regs;
// the name's "syscall__" makes bcc unwrap them where that is so.
int syscall__openat(struct pt_regs *ctx, int dfd, const char __user *filename, int flags)
{
    return send(ctx, filename, flags);
}

int syscall__openat2(struct pt_regs *ctx, int dfd, const char __user *filename, struct open_how __user *how)
{
    u64 flags = 0;
    if (bpf_probe_read_user(&flags, sizeof(flags), &how->flags))
        failures.increment(UNREADABLE_FLAGS);
    return send(ctx, filename, flags);
}

// Newer architectures have no open(). "?" in the option that attaches this function leaves it out where there is
// nothing to attach it to.
int syscall__open(struct pt_regs *ctx, const char __user *filename, int flags)
{
    return send(ctx, filename, flags);
}

// SPDX-License-Identifier: GPL-2.0
// title:    Every register at a function's first instruction
// teaches:  struct pt_regs, the calling convention of each architecture
// attach:   uprobe:libc:printf
// needs:    uprobe, ringbuf, btf, clang, libbpf
// workload: python3 -c 'import ctypes; c = ctypes.CDLL(None);
//           numbers = [ctypes.c_long(n) for n in (11, 13, 17, 19, 23)];
//           [c.printf(b"", *numbers) for call in range(23)]'
// emits:    ts u64 | pid u32 | comm str | convention str | arg1 hex | arg2 u64 | arg3 u64 | arg4 u64 | arg5 u64
//           | arg6 u64
// expect:   rows == 23 where comm == "python3" and arg2 == 11 and arg3 == 13 and arg4 == 17 and arg5 == 19
//           arg6 == 23 where comm == "python3"
//           arg1 > 0 where comm == "python3"
// limits:   64-bit programs; floating-point arguments are in registers of their own, which struct pt_regs has not;
//           further arguments are on the stack; a system call is entered by a convention of its own (on x86-64 the
//           fourth argument is in r10)
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

// struct pt_regs is what the kernel saved of the processor when the probe interrupted it: another one on each
// architecture. These structs are laid out as it is, with the names that assembly has for the registers, and each
// becomes a column. Which of them hold the arguments is no property of the processor but an agreement between
// compilers: the calling convention.
#if defined(bpf_target_x86)

struct registers {
    void *r15, *r14, *r13, *r12, *rbp, *rbx, *r11, *r10, *r9, *r8, *rax, *rcx, *rdx, *rsi, *rdi;
    long orig_rax;  // number of the system call that interrupted the program, -1 for anything else
    void *rip;
    u64 cs, rflags;
    void *rsp;
    u64 ss;
};
#define CONVENTION "System V AMD64: arguments in rdi rsi rdx rcx r8 r9, result in rax"
#define ARGUMENT_1 rdi
#define ARGUMENT_2 rsi
#define ARGUMENT_3 rdx
#define ARGUMENT_4 rcx
#define ARGUMENT_5 r8
#define ARGUMENT_6 r9

#elif defined(bpf_target_arm64)

struct registers {
    void *x0, *x1, *x2, *x3, *x4, *x5, *x6, *x7, *x8, *x9, *x10, *x11, *x12, *x13, *x14, *x15;
    void *x16, *x17, *x18, *x19, *x20, *x21, *x22, *x23, *x24, *x25, *x26, *x27, *x28;
    void *x29, *x30;  // frame pointer and return address
    void *sp, *pc;
    u64 pstate;
};
#define CONVENTION "AAPCS64: arguments in x0 x1 x2 x3 x4 x5 x6 x7, result in x0"
#define ARGUMENT_1 x0
#define ARGUMENT_2 x1
#define ARGUMENT_3 x2
#define ARGUMENT_4 x3
#define ARGUMENT_5 x4
#define ARGUMENT_6 x5

#endif

struct event {
    u64 ts;
    u32 pid;
    char comm[16];
    char convention[80];
    void *arg1;
    u64 arg2, arg3, arg4, arg5, arg6;
    struct registers regs;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("uprobe/libc:printf")
int registers_at(struct pt_regs *ctx)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;

    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    __builtin_memcpy(event->convention, CONVENTION, sizeof(CONVENTION));

    // A program is called with a pointer to the registers, and may read any of them.
    __builtin_memcpy(&event->regs, ctx, sizeof(event->regs));
    event->arg1 = event->regs.ARGUMENT_1;
    event->arg2 = (u64)event->regs.ARGUMENT_2;
    event->arg3 = (u64)event->regs.ARGUMENT_3;
    event->arg4 = (u64)event->regs.ARGUMENT_4;
    event->arg5 = (u64)event->regs.ARGUMENT_5;
    event->arg6 = (u64)event->regs.ARGUMENT_6;
    bpf_ringbuf_submit(event, 0);
    return 0;
}

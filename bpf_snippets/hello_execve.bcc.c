// SPDX-License-Identifier: GPL-2.0
// title:    Hello from every execve()
// teaches:  tracepoint of a system call, bpf_printk (in bcc: bpf_trace_printk)
// attach:   tracepoint:syscalls:sys_enter_execve
// needs:    tracepoint, printk, bcc, headers
// workload: i=0; while [ $i -lt 23 ]; do /bin/true; i=$((i + 1)); done
// emits:    ts u64 | cpu u32 | pid u32 | tid u32 | comm str | message str
// expect:   rows == 23 where comm == "sh" and message == "Hello, execve!"
// limits:   comm is still the caller's name; misses execveat(); all programs of the kernel share one trace_pipe, and
//           bpf_printk takes microseconds: for looking into a program, not for counting events

// A tracepoint has the same name on every architecture; a kprobe would need the name of a function.
TRACEPOINT_PROBE(syscalls, sys_enter_execve)
{
    // The kernel itself notes when, on which CPU and in which process this line was written.
    bpf_trace_printk("Hello, execve!");
    return 0;
}

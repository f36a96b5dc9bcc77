// SPDX-License-Identifier: GPL-2.0
// title:    Who sends which signal to whom, and what becomes of it
// teaches:  a tracepoint's own fields, enumerations in events, signals that are ignored
// attach:   tracepoint:signal:signal_generate
// needs:    tracepoint, ringbuf, btf, clang, libbpf
// workload: trap : USR1; trap "" USR2; i=0;
//           while [ $i -lt 23 ]; do kill -USR1 $$; kill -USR2 $$; i=$((i + 1)); done
// emits:    ts u64 | pid u32 | target_pid u32 | sig s32 | sig_name str | outcome str
//           | comm str | target_comm str
// expect:   rows == 23 where sig_name == "SIGUSR1" and outcome == "DELIVERED" and target_comm == "sh"
//           rows == 23 where sig_name == "SIGUSR2" and outcome == "IGNORED" and comm == "sh"
// limits:   a signal that the kernel sends (SIGCHLD, SIGSEGV) has as its sender whoever was running just then
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

// The kernel's TRACE_SIGNAL_* (include/trace/events/signal.h), whose names the frame shall show.
enum outcome { DELIVERED, IGNORED, ALREADY_PENDING, OVERFLOW, LOST_INFORMATION };

struct event {
    u64 ts;
    u32 pid;
    u32 target_pid;
    int sig;
    enum outcome outcome;
    char comm[16];
    char target_comm[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("tracepoint/signal/signal_generate")
int signal_sent(struct trace_event_raw_signal_generate *ctx)
{
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;

    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->target_pid = ctx->pid;  // a thread's id, where the signal is for one thread
    event->sig = ctx->sig;
    event->outcome = ctx->result;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    // Fields are read by the verifier's leave one at a time; an array of them is copied as other memory is.
    bpf_probe_read_kernel(event->target_comm, sizeof(event->target_comm), ctx->comm);
    bpf_ringbuf_submit(event, 0);
    return 0;
}

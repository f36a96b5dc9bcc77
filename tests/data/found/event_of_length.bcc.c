// SPDX-License-Identifier: GPL-2.0
// title:    An event that is sent as far as it is filled
// teaches:  the mistake of an older open_monitor_kprobe.bcc of this project
// attach:   tracepoint:syscalls:sys_enter_write
// needs:    tracepoint, bcc, headers
// expect-reject: R5 min value is negative
//           R5 unbounded memory access
//           invalid access to map value
// limits:   shortened to what the verifier stumbles over
struct event {
    u32 pid;
    char text[4096];
};

BPF_PERCPU_ARRAY(scratch, struct event, 1);
BPF_PERF_OUTPUT(events);

TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    u32 zero = 0;
    struct event *event = scratch.lookup(&zero);
    if (!event)
        return 0;
    event->pid = bpf_get_current_pid_tgid() >> 32;
    long length = bpf_probe_read_user_str(event->text, sizeof(event->text), args->filename);
    if (length < 0)
        length = 0;
    u64 size = __builtin_offsetof(struct event, text) + length;
    events.perf_submit(args, event, size);  // <- rejected here
    return 0;
}

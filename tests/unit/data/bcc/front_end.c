#include <uapi/linux/ptrace.h>
struct event { u32 pid; };
BPF_RINGBUF_OUTPUT(events, 8);
#define TWICE(x) \
    ((x) + unknown_in_macro)
TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event)); int a = unknown_first;
	if (!event) return 0; event->unknown_second = 1;
    events.ringbuf_submit(event, 0);
    return TWICE(1);
}
int syscall__openat(struct pt_regs *ctx, int dfd,
                    const char *name)
{
    /* größe */ return unknown_third;
}

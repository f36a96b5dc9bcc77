//%%bpf -o ex3 --only -- /usr/bin/python3 -c "import ctypes; c = ctypes.CDLL(None); c.capset((0x20080522).to_bytes(8, 'little'), bytes(24)); c.unshare(0x10000000)"
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    u64 ts;
    u32 pid;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("kprobe/commit_creds")
int BPF_KPROBE(committing, struct cred *new)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    const struct cred *old = BPF_CORE_READ(task, cred);
    u64 before = 0, after = 0;
    bpf_probe_read_kernel(&before, sizeof(before), &old->cap_effective);
    bpf_probe_read_kernel(&after, sizeof(after), &new->cap_effective);
    if (!(after & ~before))
        return 0;
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_ringbuf_submit(event, 0);
    return 0;
}

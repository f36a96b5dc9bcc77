// SPDX-License-Identifier: GPL-2.0
// title:    Who opens which file (kprobe, perf buffer)
// teaches:  kprobe arguments, strings from user memory, per-CPU scratch memory
// attach:   ksyscall:openat, ksyscall:openat2, ?ksyscall:open
// needs:    kprobe, perfbuf, btf, clang, libbpf
// workload: i=0; while [ $i -lt 23 ]; do cat /etc/hostname; i=$((i + 1)); done
// emits:    ts u64 | pid u32 | uid u32 | uid_name str | flags s32 | flags_names str | comm str | filename str
// expect:   rows == 23 where comm == "cat" and filename == "/etc/hostname" and flags_names == "O_RDONLY"
// limits:   not what came of it; relative names as given; a name not yet in memory reads as empty, and is counted
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    u64 ts;
    u32 pid;
    u32 uid;
    int flags;
    char comm[16];
    char filename[4096];  // PATH_MAX: the longest name that the kernel takes
};

// One buffer a CPU; the reader sets their size.
struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(key_size, sizeof(u32));
    __uint(value_size, sizeof(u32));
} events SEC(".maps");

// A perf buffer takes a finished event, which has to be put together somewhere, and a BPF program's stack
// has 512 bytes only. One element a CPU is enough: nothing interrupts the program to run it again.
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct event);
} scratch SEC(".maps");

// What went wrong, and how often: the header line of the frame says so.
enum failure { UNREADABLE_NAME, UNREADABLE_FLAGS, FAILURES };
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FAILURES);
    __type(key, enum failure);
    __type(value, u64);
} failures SEC(".maps");

static void failed(enum failure failure)
{
    u64 *count = bpf_map_lookup_elem(&failures, &failure);
    if (count)
        __sync_fetch_and_add(count, 1);
}

static int send(void *ctx, const char *filename, int flags)
{
    u32 first = 0;
    struct event *event = bpf_map_lookup_elem(&scratch, &first);
    if (!event)  // never, but the verifier wants to see that it was checked
        return 0;

    event->ts = bpf_ktime_get_ns();
    event->pid = bpf_get_current_pid_tgid() >> 32;
    event->uid = bpf_get_current_uid_gid();  // the lower half; the group is in the upper one
    event->flags = flags;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    u64 length = bpf_probe_read_user_str(event->filename, sizeof(event->filename), filename);
    if (length > sizeof(event->filename)) {  // an error (not in memory) is negative: a huge number here
        length = 0;
        failed(UNREADABLE_NAME);
    }

    // The buffer takes a copy: of the name's used part, not of all 4096 bytes.
    u64 size = __builtin_offsetof(struct event, filename) + length;
    bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, event, size);
    return 0;
}

// On most architectures the function behind a system call gets its arguments wrapped in a struct pt_regs;
// BPF_KSYSCALL unwraps them where that is so.
SEC("ksyscall/openat")
int BPF_KSYSCALL(openat_enter, int dfd, const char *filename, int flags)
{
    return send(ctx, filename, flags);
}

SEC("ksyscall/openat2")
int BPF_KSYSCALL(openat2_enter, int dfd, const char *filename, struct open_how *how)
{
    u64 flags = 0;
    if (bpf_probe_read_user(&flags, sizeof(flags), &how->flags))
        failed(UNREADABLE_FLAGS);
    return send(ctx, filename, flags);
}

// Newer architectures have no open(). "?" leaves a program out where there is nothing to attach it to.
SEC("?ksyscall/open")
int BPF_KSYSCALL(open_enter, const char *filename, int flags)
{
    return send(ctx, filename, flags);
}

// SPDX-License-Identifier: GPL-2.0
// title:    Who asks the kernel for new credentials
// teaches:  kprobe and kretprobe paired by thread, kernel stacks, a kernel pointer as a result
// attach:   kprobe:prepare_kernel_cred, kretprobe:prepare_kernel_cred
// needs:    kprobe, ringbuf, btf, clang, libbpf
// scope:    system
// workload: python3 -c 'import ctypes; c = ctypes.CDLL(None); [c.socket(41, 1, 0) for call in range(23)]'
// emits:    ts u64 | pid u32 | tid u32 | uid u32 | uid_name str | stack_id s32 | stack str | comm str | cred hex
// expect:   rows == 23 where comm contains "kworker" and stack contains "call_usermodehelper_exec_async" and cred > 0
//           rows == 0 where cred == 0
// limits:   a socket of a protocol that the kernel does not know makes it run modprobe, which takes credentials: a
//           kernel thread asks, on behalf of whoever opened the socket, and only the process can be seen, not the one
//           behind it; other ways to root (commit_creds with an old credential) do not pass here
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
    u64 ts;
    u32 pid;
    u32 tid;
    u32 uid;
    int stack_id;
    char comm[16];
    void *cred;
};

// Calls that have begun and not yet returned: the stack that each thread called from.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, int);
} calls SEC(".maps");

// Each different call chain once, under the number that events carry.
struct {
    __uint(type, BPF_MAP_TYPE_STACK_TRACE);
    __uint(max_entries, 1024);
    __uint(key_size, sizeof(u32));
    __uint(value_size, 127 * sizeof(u64));
} stacks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

// What went wrong, and how often: the header line of the frame says so.
enum failure { NO_ROOM_FOR_CALL, NO_STACK, FAILURES };
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

SEC("kprobe/prepare_kernel_cred")
int cred_enter(struct pt_regs *ctx)
{
    // Here and not at the return, where the caller's address on the stack is the kretprobe's own.
    int stack = bpf_get_stackid(ctx, &stacks, 0);
    if (stack < 0)
        failed(NO_STACK);

    u32 thread = bpf_get_current_pid_tgid();
    if (bpf_map_update_elem(&calls, &thread, &stack, BPF_ANY))
        failed(NO_ROOM_FOR_CALL);
    return 0;
}

SEC("kretprobe/prepare_kernel_cred")
int BPF_KRETPROBE(cred_exit, void *cred)
{
    u64 id = bpf_get_current_pid_tgid();
    u32 thread = id;
    int *stack = bpf_map_lookup_elem(&calls, &thread);
    if (!stack)  // it began before the trace did
        return 0;

    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->pid = id >> 32;
        event->tid = id;
        event->uid = bpf_get_current_uid_gid();
        event->stack_id = *stack;
        event->cred = cred;
        bpf_get_current_comm(event->comm, sizeof(event->comm));
        bpf_ringbuf_submit(event, 0);
    }
    bpf_map_delete_elem(&calls, &thread);
    return 0;
}

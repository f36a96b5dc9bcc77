// SPDX-License-Identifier: GPL-2.0
// title:    How long a woken task waits for a CPU
// teaches:  typed raw tracepoints (tp_btf), fields of kernel structures, histogram
// attach:   tp_btf:sched_wakeup, tp_btf:sched_wakeup_new, tp_btf:sched_switch
// needs:    tp_btf, btf, clang, libbpf
// workload: python3 -c 'import os, time; time.sleep(0.005);
//           name = os.open("/proc/self/comm", os.O_WRONLY); os.write(name, b"sleeper");
//           [time.sleep(0.005) for i in range(23)]; os.write(name, b"done"); os._exit(0)'
// from:     delay_hist
// emits:    comm str | slot s64 | low u64 | high u64 | count u64
// expect:   sum count == 23 where comm == "sleeper"
//           rows == 0 where slot < 1
// limits:   a task that is put off its CPU while it still has work waits, too: that is not counted
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

enum failure { NO_ROOM_FOR_TASK, NO_ROOM_FOR_SLOT, FAILURES };

struct histogram_key {
    char comm[16];
    u32 slot;
};

// When each task was woken that has not run since.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, u64);
} woken SEC(".maps");

// The frame reads a map called "…hist" as a histogram: slot n counts 2**(n-1) to 2**n - 1 nanoseconds.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, struct histogram_key);
    __type(value, u64);
} delay_hist SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FAILURES);
    __type(key, enum failure);
    __type(value, u64);
} failures SEC(".maps");

static void count_failure(enum failure failure)
{
    u64 *count = bpf_map_lookup_elem(&failures, &failure);
    if (count)
        (*count)++;
}

// The number of binary digits: 0 and 1 are in slot 1, 2 and 3 in slot 2, 4 to 7 in slot 3.
static u32 slot_of(u64 value)
{
    u32 slot = 1;
    for (u32 half = 32; half; half /= 2)
        if (value >> half) {
            value >>= half;
            slot += half;
        }
    return slot;
}

static int note(struct task_struct *task)
{
    u32 thread = task->pid;
    u64 now = bpf_ktime_get_ns();
    if (bpf_map_update_elem(&woken, &thread, &now, BPF_ANY))
        count_failure(NO_ROOM_FOR_TASK);
    return 0;
}

// The tracepoint hands over the task itself, and the verifier knows its type: its fields are read as in the
// kernel, by plain C.
SEC("tp_btf/sched_wakeup")
int BPF_PROG(task_woken, struct task_struct *task)
{
    return note(task);
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(task_made, struct task_struct *task)
{
    return note(task);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(task_switched, bool preempted, struct task_struct *previous, struct task_struct *next)
{
    u32 thread = next->pid;
    u64 *since = bpf_map_lookup_elem(&woken, &thread);
    if (!since)  // it was not asleep: it had been put off the CPU
        return 0;

    struct histogram_key key = {.slot = slot_of(bpf_ktime_get_ns() - *since)};
    __builtin_memcpy(key.comm, next->comm, sizeof(key.comm));
    bpf_map_delete_elem(&woken, &thread);

    u64 zero = 0, *count = bpf_map_lookup_elem(&delay_hist, &key);
    if (!count) {
        bpf_map_update_elem(&delay_hist, &key, &zero, BPF_NOEXIST);
        count = bpf_map_lookup_elem(&delay_hist, &key);
    }
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        count_failure(NO_ROOM_FOR_SLOT);
    return 0;
}

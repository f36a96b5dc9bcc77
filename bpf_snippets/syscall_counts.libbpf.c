// SPDX-License-Identifier: GPL-2.0
// title:    Count system calls by name
// teaches:  hash map in the kernel, atomic addition, counting in place of sending events
// attach:   tracepoint:raw_syscalls:sys_enter
// needs:    tracepoint, btf, clang, libbpf
// workload: python3 -c 'import os; [os.sched_get_priority_max(os.SCHED_FIFO) for i in range(23)]'
// from:     calls
// emits:    nr u32 | nr_name str | count u64
// expect:   count == 23 where nr_name == "sched_get_priority_max"
//           rows == 1 where nr_name == "execve"
// limits:   counts every process of the machine; 32-bit programs number their calls otherwise
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

enum failure { NO_ROOM_FOR_CALL, FAILURES };

struct call_number {
    u32 nr;
};

struct tally {
    u64 count;
};

// One element for each number that occurs: 350 or so of a possible 500.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct call_number);
    __type(value, struct tally);
} calls SEC(".maps");

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
        (*count)++;  // no other CPU has this element
}

// A million events a second would go through a buffer only to be counted in the end: it is cheaper here.
SEC("tracepoint/raw_syscalls/sys_enter")
int call_enter(struct trace_event_raw_sys_enter *ctx)
{
    struct call_number key = {.nr = ctx->id};
    struct tally *tally = bpf_map_lookup_elem(&calls, &key);
    if (!tally) {
        // Two CPUs may come here at once: BPF_NOEXIST lets the first one win, and both take its element.
        struct tally zero = {};
        bpf_map_update_elem(&calls, &key, &zero, BPF_NOEXIST);
        tally = bpf_map_lookup_elem(&calls, &key);
    }
    if (!tally) {
        count_failure(NO_ROOM_FOR_CALL);
        return 0;
    }
    // CPUs share the element, and ++ alone would lose what two of them add at the same time.
    __sync_fetch_and_add(&tally->count, 1);
    return 0;
}

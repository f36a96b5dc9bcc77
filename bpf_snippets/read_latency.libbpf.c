// SPDX-License-Identifier: GPL-2.0
// title:    How long read() takes, as a histogram for each command
// teaches:  histogram by powers of two, time between two probes, hash map by thread
// attach:   tracepoint:syscalls:sys_enter_read, tracepoint:syscalls:sys_exit_read
// needs:    tracepoint, btf, clang, libbpf
// workload: python3 -c 'import os; zero = os.open("/dev/zero", os.O_RDONLY);
//           name = os.open("/proc/self/comm", os.O_WRONLY); os.write(name, b"reader");
//           [os.read(zero, 1) for i in range(23)]; os._exit(0)'
// from:     read_hist
// emits:    comm str | slot s64 | low u64 | high u64 | count u64
// expect:   sum count == 23 where comm == "reader"
//           rows == 0 where slot < 1
// limits:   read() alone: not pread(), readv(), io_uring or mapped files; the time includes that of waiting,
//           for a terminal's user for one
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

enum failure { NO_ROOM_FOR_CALL, NO_ROOM_FOR_SLOT, FAILURES };

struct histogram_key {
    char comm[16];
    u32 slot;
};

// When each thread's call began.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, u64);
} begun SEC(".maps");

// The frame reads a map called "…hist" as a histogram: slot n counts 2**(n-1) to 2**n - 1 nanoseconds.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, struct histogram_key);
    __type(value, u64);
} read_hist SEC(".maps");

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

SEC("tracepoint/syscalls/sys_enter_read")
int read_enter(struct trace_event_raw_sys_enter *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 now = bpf_ktime_get_ns();
    if (bpf_map_update_elem(&begun, &thread, &now, BPF_ANY))
        count_failure(NO_ROOM_FOR_CALL);
    return 0;
}

SEC("tracepoint/syscalls/sys_exit_read")
int read_exit(struct trace_event_raw_sys_exit *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 *begin = bpf_map_lookup_elem(&begun, &thread);
    if (!begin)  // it began before the trace did
        return 0;

    // Every byte of a key counts, holes too: unset ones would make two keys of one.
    struct histogram_key key = {.slot = slot_of(bpf_ktime_get_ns() - *begin)};
    bpf_get_current_comm(key.comm, sizeof(key.comm));
    bpf_map_delete_elem(&begun, &thread);

    u64 zero = 0, *count = bpf_map_lookup_elem(&read_hist, &key);
    if (!count) {
        bpf_map_update_elem(&read_hist, &key, &zero, BPF_NOEXIST);
        count = bpf_map_lookup_elem(&read_hist, &key);
    }
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        count_failure(NO_ROOM_FOR_SLOT);
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    Where the CPUs spend their time: call chains, 49 times a second
// teaches:  sampling by the clock, stacks of the kernel and of the user, flame graphs
// attach:   sample=profile:hz:49
// needs:    perf_event, btf, clang, libbpf
// setup:    mkdir -p /tmp/ebpf-lab-busy; cd /tmp/ebpf-lab-busy
//           echo '#include <fcntl.h>
//           #include <time.h>
//           #include <unistd.h>
//           char bytes[1 << 20]; volatile unsigned n;
//           double used(void) { return (double)clock() / CLOCKS_PER_SEC; }
//           void spin(double end) { while (used() < end) for (int i = 0; i < 100000; i++) n++; }
//           void load(double end) { int zero = open("/dev/zero", O_RDONLY);
//           while (used() < end) read(zero, bytes, sizeof(bytes)); }
//           int main(void) { spin(0.6); load(1.2); return 0; }
//           ' >busy.c
//           gcc -O0 -w -fno-omit-frame-pointer -o busy busy.c
// workload: /tmp/ebpf-lab-busy/busy
// cleanup:  rm -r /tmp/ebpf-lab-busy
// from:     samples
// emits:    pid u32 | user_stack str | kernel_stack str | comm str | count u64
// expect:   sum count >= 29 where comm == "busy"
//           sum count <= 89 where comm == "busy"
//           sum count >= 13 where user_stack contains "main+" and user_stack contains ";spin+"
//           sum count >= 13 where user_stack contains "main+" and kernel_stack contains "read"
// limits:   what waits is not on a CPU and not seen; a chain is followed by frame pointers, and ends at the
//           first function that was compiled without; 49 samples a second say little of what is seldom
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

enum failure { NO_ROOM_FOR_CHAIN, FAILURES };

struct chain {
    u32 pid;
    s32 user_stack_id;
    s32 kernel_stack_id;
    char comm[16];
};

struct seen {
    u64 count;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, struct chain);
    __type(value, struct seen);
} samples SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_STACK_TRACE);
    __uint(max_entries, 16384);
    __type(key, u32);
    __uint(value_size, 127 * sizeof(u64));
} stacks SEC(".maps");

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

// In Python, ebpf_lab.folded(frame) makes the lines of a flame graph of the samples: "busy;main;spin 29".
// 49, and not 50: what a program does at even intervals would always, or never, be met.
SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
    struct chain chain = {.pid = bpf_get_current_pid_tgid() >> 32};
    if (!chain.pid)  // nothing runs: the CPU is idle
        return 0;
    // A sample within the program itself has no kernel stack: its id is then an error, EFAULT.
    chain.kernel_stack_id = bpf_get_stackid(ctx, &stacks, 0);
    chain.user_stack_id = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
    bpf_get_current_comm(chain.comm, sizeof(chain.comm));

    struct seen *seen = bpf_map_lookup_elem(&samples, &chain);
    if (!seen) {
        struct seen zero = {};
        bpf_map_update_elem(&samples, &chain, &zero, BPF_NOEXIST);
        seen = bpf_map_lookup_elem(&samples, &chain);
    }
    if (seen)
        __sync_fetch_and_add(&seen->count, 1);
    else
        count_failure(NO_ROOM_FOR_CHAIN);
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    Memory that was taken and not given back, by the call chain that took it
// teaches:  uprobes and uretprobes on a library, user stacks, hash maps that grow and shrink
// attach:   uprobe:libc:malloc, uretprobe:libc:malloc, uprobe:libc:calloc, uretprobe:libc:calloc,
//           uprobe:libc:realloc, uretprobe:libc:realloc, uprobe:libc:free
// needs:    uprobe, btf, clang, libbpf
// setup:    mkdir -p /tmp/ebpf-lab-leaky; cd /tmp/ebpf-lab-leaky
//           echo '#include <stdlib.h>
//           volatile void *kept;
//           void leaky(void) { kept = malloc(100); }
//           void zeroed(void) { kept = calloc(10, 7); }
//           void grows(void) { kept = realloc(malloc(5), 50); }
//           void tidy(void) { free(malloc(1000)); }
//           int main(void) { for (int i = 0; i < 23; i++) { leaky(); zeroed(); grows(); tidy(); } return 0; }
//           ' >leaky.c
//           gcc -O0 -fno-omit-frame-pointer -o leaky leaky.c
// workload: /tmp/ebpf-lab-leaky/leaky
// cleanup:  rm -r /tmp/ebpf-lab-leaky
// from:     owners
// emits:    pid u32 | stack str | comm str | blocks s64 | bytes s64
// expect:   blocks == 23 where stack contains "leaky+"
//           bytes == 2300 where stack contains "leaky+"
//           bytes == 1610 where stack contains "zeroed+"
//           sum bytes == 1150 where stack contains "grows+"
//           bytes == 0 where stack contains "tidy+"
// limits:   libc's own malloc alone, of every process; a chain is followed by frame pointers, and ends at the
//           first function that was compiled without; what was taken before the trace is not known
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

enum failure { NO_ROOM_FOR_CALL, NO_ROOM_FOR_BLOCK, NO_ROOM_FOR_OWNER, NO_STACK, FAILURES };
enum taker { MALLOC, CALLOC, REALLOC };

struct heap_call {
    u32 thread;
    enum taker function;  // realloc may call malloc: the two must not take each other's place
};

struct heap_request {
    u64 size;
    u64 old;
};

struct heap_owner {
    u32 pid;
    s32 stack_id;
    char comm[16];
};

struct heap_held {
    s64 blocks;
    s64 bytes;
};

struct heap_place {
    u32 pid;
    u32 hole;  // written, so that equal keys have equal bytes
    u64 address;
};

struct heap_block {
    u64 size;
    struct heap_owner owner;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, struct heap_call);
    __type(value, struct heap_request);
} requests SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 200000);
    __uint(map_flags, BPF_F_NO_PREALLOC);  // memory for those blocks only that are there
    __type(key, struct heap_place);
    __type(value, struct heap_block);
} blocks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, struct heap_owner);
    __type(value, struct heap_held);
} owners SEC(".maps");

// A chain's number is a hash of its addresses, and of two chains with one number the later is refused: with
// far more room than chains that hardly happens. To have so much room, the outermost functions are left out.
struct {
    __uint(type, BPF_MAP_TYPE_STACK_TRACE);
    __uint(max_entries, 131072);
    __type(key, u32);
    __uint(value_size, 24 * sizeof(u64));
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

static void account(struct heap_owner *owner, s64 blocks_more, s64 bytes_more)
{
    struct heap_held *held = bpf_map_lookup_elem(&owners, owner);
    if (!held) {
        struct heap_held nothing = {};
        bpf_map_update_elem(&owners, owner, &nothing, BPF_NOEXIST);
        held = bpf_map_lookup_elem(&owners, owner);
    }
    if (!held) {
        count_failure(NO_ROOM_FOR_OWNER);
        return;
    }
    __sync_fetch_and_add(&held->blocks, blocks_more);
    __sync_fetch_and_add(&held->bytes, bytes_more);
}

static void given_back(u64 address)
{
    struct heap_place place = {.pid = bpf_get_current_pid_tgid() >> 32, .address = address};
    struct heap_block *block = bpf_map_lookup_elem(&blocks, &place);
    if (!block)  // NULL, or taken before the trace began
        return;
    struct heap_owner owner = block->owner;
    account(&owner, -1, -(s64)block->size);
    bpf_map_delete_elem(&blocks, &place);
}

static int asked(enum taker function, u64 size, u64 old)
{
    struct heap_call call = {.thread = bpf_get_current_pid_tgid(), .function = function};
    struct heap_request request = {.size = size, .old = old};
    if (bpf_map_update_elem(&requests, &call, &request, BPF_ANY))
        count_failure(NO_ROOM_FOR_CALL);
    return 0;
}

// At the return, the first address of the stack is the caller's: at the entry it would be malloc's own, and
// kernels before 6.11 cannot find the caller there.
static int got(void *ctx, enum taker function, u64 address)
{
    struct heap_call call = {.thread = bpf_get_current_pid_tgid(), .function = function};
    struct heap_request *request = bpf_map_lookup_elem(&requests, &call);
    if (!request)  // it began before the trace did
        return 0;
    struct heap_request asked_for = *request;
    bpf_map_delete_elem(&requests, &call);
    if (!address)
        return 0;  // there was no memory, and an old block stays as it was

    given_back(asked_for.old);
    given_back(address);  // realloc has called malloc, which has counted the block already

    struct heap_place place = {.pid = bpf_get_current_pid_tgid() >> 32, .address = address};
    struct heap_block block = {.size = asked_for.size, .owner = {.pid = place.pid}};
    block.owner.stack_id = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
    if (block.owner.stack_id < 0)
        count_failure(NO_STACK);
    bpf_get_current_comm(block.owner.comm, sizeof(block.owner.comm));
    if (bpf_map_update_elem(&blocks, &place, &block, BPF_ANY)) {
        count_failure(NO_ROOM_FOR_BLOCK);
        return 0;
    }
    account(&block.owner, 1, block.size);
    return 0;
}

SEC("uprobe/libc:malloc")
int BPF_KPROBE(malloc_enter, u64 size)
{
    return asked(MALLOC, size, 0);
}

SEC("uretprobe/libc:malloc")
int BPF_KRETPROBE(malloc_exit, u64 address)
{
    return got(ctx, MALLOC, address);
}

SEC("uprobe/libc:calloc")
int BPF_KPROBE(calloc_enter, u64 number, u64 size)
{
    return asked(CALLOC, number * size, 0);
}

SEC("uretprobe/libc:calloc")
int BPF_KRETPROBE(calloc_exit, u64 address)
{
    return got(ctx, CALLOC, address);
}

SEC("uprobe/libc:realloc")
int BPF_KPROBE(realloc_enter, u64 old, u64 size)
{
    return asked(REALLOC, size, old);
}

SEC("uretprobe/libc:realloc")
int BPF_KRETPROBE(realloc_exit, u64 address)
{
    return got(ctx, REALLOC, address);
}

SEC("uprobe/libc:free")
int BPF_KPROBE(free_enter, u64 address)
{
    given_back(address);
    return 0;
}

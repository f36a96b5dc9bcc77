// SPDX-License-Identifier: GPL-2.0
// title:    Reads and writes of disks: who asks, where, how much, how long it takes
// teaches:  joining two tracepoints by what they share, device numbers, writes that wait for the disk
// attach:   tracepoint:block:block_getrq, tracepoint:block:block_rq_complete
// needs:    tracepoint, ringbuf, loop, btf, clang, libbpf
// setup:    mkdir -p /tmp/ebpf-lab-disk; cd /tmp/ebpf-lab-disk
//           truncate -s 1M file
//           losetup --find --show --nooverlap --direct-io=off file >device
// workload: dd if=/dev/zero of="$(cat /tmp/ebpf-lab-disk/device)" bs=4096 count=23 oflag=direct status=none
// cleanup:  cd /tmp/ebpf-lab-disk
//           losetup --detach "$(cat device)"
//           rm -r /tmp/ebpf-lab-disk
// emits:    ts u64 | duration_ns u64 | pid u32 | major u32 | minor u32 | sector u64 | bytes u32 | error s32
//           | operation str | comm str
// expect:   rows == 23 where comm == "dd" and bytes == 4096 and major == 7 and error == 0
//           rows == 23 where comm == "dd" and operation == "WS"
//           rows == 1 where comm == "dd" and sector == 0
//           rows == 1 where comm == "dd" and sector == 176
// limits:   what waits in memory to be written is written later, by the kernel: its comm is a kworker; disks
//           without a queue (most of those in memory) are not seen; bytes of a request to which others were
//           added are those of its first part
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

enum failure { NO_ROOM_FOR_REQUEST, FAILURES };

struct where {
    u64 sector;
    u32 device;
    u32 hole;  // written, so that equal keys have equal bytes
};

struct request_begun {
    u64 begin;
    u32 pid;
    u32 bytes;
    char operation[8];
    char comm[16];
};

struct event {
    u64 ts;
    u64 duration_ns;
    u32 pid;
    u32 major;
    u32 minor;
    u64 sector;
    u32 bytes;
    int error;
    char operation[8];
    char comm[16];
};

// Requests that wait for a disk, or that one works on.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, struct where);
    __type(value, struct request_begun);
} begun SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1024 * 1024);
} events SEC(".maps");

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

// A request gets its place in a disk's queue while the process that wants it is running. It may be sent off
// later, by a kworker.
SEC("tracepoint/block/block_getrq")
int request_made(struct trace_event_raw_block_bio *ctx)
{
    struct where where = {.sector = ctx->sector, .device = ctx->dev};
    struct request_begun request = {
        .begin = bpf_ktime_get_ns(),
        .pid = bpf_get_current_pid_tgid() >> 32,
        .bytes = ctx->nr_sector * 512,
    };
    // "R" reads, "W" writes, "S" someone waits for it, "M" it is the file system's own, "F" flushes.
    bpf_probe_read_kernel_str(request.operation, sizeof(request.operation), ctx->rwbs);
    bpf_get_current_comm(request.comm, sizeof(request.comm));
    if (bpf_map_update_elem(&begun, &where, &request, BPF_ANY))
        count_failure(NO_ROOM_FOR_REQUEST);
    return 0;
}

// A disk is done when it interrupts: whatever process is running then has nothing to do with it.
SEC("tracepoint/block/block_rq_complete")
int request_done(struct trace_event_raw_block_rq_completion *ctx)
{
    struct where where = {.sector = ctx->sector, .device = ctx->dev};
    struct request_begun *request = bpf_map_lookup_elem(&begun, &where);
    if (!request)  // it began before the trace did
        return 0;

    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->duration_ns = event->ts - request->begin;
        event->pid = request->pid;
        event->major = ctx->dev >> 20;  // a number of the kernel's own, divided otherwise than in user space
        event->minor = ctx->dev & 0xFFFFF;
        event->sector = ctx->sector;
        event->bytes = request->bytes;
        event->error = ctx->error;
        __builtin_memcpy(event->operation, request->operation, sizeof(event->operation));
        __builtin_memcpy(event->comm, request->comm, sizeof(event->comm));
        bpf_ringbuf_submit(event, 0);
    }
    bpf_map_delete_elem(&begun, &where);
    return 0;
}

// SPDX-License-Identifier: GPL-2.0
// title:    Every printf(): its format, and how much it printed
// teaches:  uprobe and uretprobe paired by thread, strings not yet in memory
// attach:   uprobe:libc:printf, uretprobe:libc:printf
// needs:    uprobe, ringbuf, btf, clang, libbpf
// workload: python3 -c 'import ctypes; c = ctypes.CDLL(None); [c.printf(b"line %02d, ", i) for i in range(23)]'
// emits:    ts u64 | pid u32 | length s32 | comm str | cut bool | format str
// expect:   rows == 23 where comm == "python3" and format == "line %02d, " and length == 9 and cut == 0
// limits:   compilers turn printf("x\n") into puts("x"), and fortified programs call __printf_chk: neither is seen;
//           a program that leaves printf by longjmp() or is killed in it has no row
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define FORMAT_SIZE 256

struct call {
    char format[FORMAT_SIZE];
};

struct event {
    u64 ts;
    u32 pid;
    int length;
    char comm[16];
    bool cut;  // the format is longer
    char format[FORMAT_SIZE];
};

// Calls that have begun and not yet returned, by thread: what the first probe saw, kept for the second.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 10240);
    __type(key, u32);
    __type(value, struct call);
} calls SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

// What went wrong, and how often: the header line of the frame says so.
enum failure { NO_ROOM_FOR_CALL, UNREADABLE_FORMAT, FAILURES };
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

// The ".s" lets this program sleep, and so wait for a page that is still on disk. The text of a format
// string is read in when it is first used: after this probe, so that a program that cannot wait would see
// nothing of it in the first call.
SEC("uprobe.s/libc:printf")
int BPF_KPROBE(printf_enter, const char *format)
{
    struct call call = {};

    // This copies what lies behind the string, too. Where the string ends close to memory that is not
    // there, nothing is copied at all: then byte after byte, no further than its end.
    if (bpf_copy_from_user(call.format, FORMAT_SIZE, format)) {
        for (int i = 0; i < FORMAT_SIZE; i++) {
            if (bpf_copy_from_user(&call.format[i], 1, format + i)) {
                failed(UNREADABLE_FORMAT);
                break;
            }
            if (!call.format[i])
                break;
        }
    }

    u32 thread = bpf_get_current_pid_tgid();
    if (bpf_map_update_elem(&calls, &thread, &call, BPF_ANY))
        failed(NO_ROOM_FOR_CALL);
    return 0;
}

SEC("uretprobe/libc:printf")
int BPF_KRETPROBE(printf_exit, int length)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call *call = bpf_map_lookup_elem(&calls, &thread);
    if (!call)  // it began before the trace did
        return 0;

    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->length = length;
        bpf_get_current_comm(event->comm, sizeof(event->comm));
        long size = bpf_probe_read_kernel_str(event->format, FORMAT_SIZE, call->format);
        // The helper ends what it cuts with a zero byte, too: the last byte that was copied tells.
        event->cut = size == FORMAT_SIZE && call->format[FORMAT_SIZE - 1];
        bpf_ringbuf_submit(event, 0);
    }
    bpf_map_delete_elem(&calls, &thread);
    return 0;
}

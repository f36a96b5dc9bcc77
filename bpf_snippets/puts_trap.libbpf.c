// SPDX-License-Identifier: GPL-2.0
// title:    Why a plain string never reaches printf
// teaches:  what a compiler makes of printf("x\n"), one event from several probes
// attach:   uprobe:libc:puts, uprobe:libc:printf, uretprobe:libc:puts, uretprobe:libc:printf
// needs:    uprobe, ringbuf, btf, clang, libbpf
// workload: directory=$(mktemp -d) && trap 'rm -r "$directory"' EXIT;
//           printf '%s\n' '#include <stdio.h>' 'int main(void) {'
//           'for (int i = 0; i < 23; i++) printf("plain\n");'
//           'for (int i = 0; i < 13; i++) printf("number %d\n", i); }' > "$directory/trap.c";
//           clang -O2 -o "$directory/trap" "$directory/trap.c" && "$directory/trap" > /dev/null
// emits:    ts u64 | pid u32 | function str | ret s32 | comm str | text str
// expect:   rows == 23 where comm == "trap" and function == "PUTS" and text == "plain" and ret > 0
//           rows == 13 where comm == "trap" and function == "PRINTF" and text == "number %d\n" and ret > 0
//           rows == 0 where comm == "trap" and function == "PRINTF" and text contains "plain"
// limits:   printf("%s\n", text) and printf("%c", letter) are other functions after compiling, too; text of more than
//           127 bytes is cut; fortified programs call __printf_chk
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

enum function { PUTS, PRINTF };

struct call {
    u64 text;      // where it is; what it is, can be read once the function has read it
    u64 function;  // as wide as the pointer, so that there is no hole: old verifiers refuse unset bytes
};

struct event {
    u64 ts;
    u32 pid;
    enum function function;
    int ret;
    char comm[16];
    char text[128];
};

// Calls that have begun and not yet returned, by thread.
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
enum failure { NO_ROOM_FOR_CALL, UNREADABLE_TEXT, FAILURES };
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

static int begins(enum function function, u64 text)
{
    struct call call = {.text = text, .function = function};
    u32 thread = bpf_get_current_pid_tgid();
    if (bpf_map_update_elem(&calls, &thread, &call, BPF_ANY))
        failed(NO_ROOM_FOR_CALL);
    return 0;
}

static int returns(int ret)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call *call = bpf_map_lookup_elem(&calls, &thread);
    if (!call)  // it began before the trace did
        return 0;

    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->function = call->function;
        event->ret = ret;
        bpf_get_current_comm(event->comm, sizeof(event->comm));
        if (bpf_probe_read_user_str(event->text, sizeof(event->text), (void *)call->text) < 0) {
            event->text[0] = 0;
            failed(UNREADABLE_TEXT);
        }
        bpf_ringbuf_submit(event, 0);
    }
    bpf_map_delete_elem(&calls, &thread);
    return 0;
}

// printf() with a format that is plain text and a line break does what puts() does without looking for "%", and
// compilers know: they call puts() in its place. A probe on printf alone misses each such line.
SEC("uprobe/libc:puts")
int BPF_KPROBE(puts_enter, const char *text)
{
    return begins(PUTS, (u64)text);
}

SEC("uprobe/libc:printf")
int BPF_KPROBE(printf_enter, const char *format)
{
    return begins(PRINTF, (u64)format);
}

SEC("uretprobe/libc:puts")
int BPF_KRETPROBE(puts_exit, int ret)
{
    return returns(ret);
}

SEC("uretprobe/libc:printf")
int BPF_KRETPROBE(printf_exit, int ret)
{
    return returns(ret);
}

// SPDX-License-Identifier: GPL-2.0
// title:    Why a plain string never reaches printf
// teaches:  what a compiler makes of printf("x\n"), one event from several probes
// attach:   puts_enter=uprobe:libc:puts, printf_enter=uprobe:libc:printf
//           puts_exit=uretprobe:libc:puts, printf_exit=uretprobe:libc:printf
// needs:    uprobe, ringbuf, clang, bcc, headers
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
#include <uapi/linux/ptrace.h>

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
BPF_HASH(calls, u32, struct call);

BPF_RINGBUF_OUTPUT(events, 64);

// What went wrong, and how often: the header line of the frame says so.
enum failure { NO_ROOM_FOR_CALL, UNREADABLE_TEXT, FAILURES };
BPF_PERCPU_ARRAY(failures, u64, FAILURES);

static int begins(enum function function, u64 text)
{
    struct call call = {.text = text, .function = function};
    u32 thread = bpf_get_current_pid_tgid();
    if (calls.update(&thread, &call))
        failures.increment(NO_ROOM_FOR_CALL);
    return 0;
}

static int returns(int ret)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call *call = calls.lookup(&thread);
    if (!call)  // it began before the trace did
        return 0;

    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (event) {
        event->ts = bpf_ktime_get_ns();
        event->pid = bpf_get_current_pid_tgid() >> 32;
        event->function = call->function;
        event->ret = ret;
        bpf_get_current_comm(event->comm, sizeof(event->comm));
        if (bpf_probe_read_user_str(event->text, sizeof(event->text), (void *)call->text) < 0) {
            event->text[0] = 0;
            failures.increment(UNREADABLE_TEXT);
        }
        events.ringbuf_submit(event, 0);
    }
    calls.delete(&thread);
    return 0;
}

// printf() with a format that is plain text and a line break does what puts() does without looking for "%", and
// compilers know: they call puts() in its place. A probe on printf alone misses each such line.
int puts_enter(struct pt_regs *ctx)
{
    return begins(PUTS, PT_REGS_PARM1(ctx));
}

int printf_enter(struct pt_regs *ctx)
{
    return begins(PRINTF, PT_REGS_PARM1(ctx));
}

int puts_exit(struct pt_regs *ctx)
{
    return returns(PT_REGS_RC(ctx));
}

int printf_exit(struct pt_regs *ctx)
{
    return returns(PT_REGS_RC(ctx));
}

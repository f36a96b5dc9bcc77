// SPDX-License-Identifier: GPL-2.0
// One of each kind of type that clang writes into BTF. The files next to this one were made from it:
//   clang -target bpf -g -O2 -fdebug-compilation-dir=. -c btf_sample.c -o btf_sample.o
//   llvm-objcopy --dump-section .BTF=btf_sample.btf --dump-section .BTF.ext=btf_sample.btf_ext btf_sample.o
//   bpftool btf dump -j file btf_sample.o > btf_sample.json
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))

enum colour { RED, GREEN = 5, BLUE };

struct forward;

struct inner {
    short x;
    signed char small;
};

struct event {
    u64 ts;
    const u32 pid;
    char comm[16];
    unsigned char address[6];
    int matrix[2][3];
    unsigned int low : 3, high : 7;
    _Bool yes;
    enum colour colour;
    struct inner inner;
    union {
        u32 word;
        unsigned char bytes[4];
    };
    struct event *next;
    const char *const *names;
    struct forward *unknown;
    int (*call)(void *ctx, int n);
    double ratio;
};

struct {
    int (*type)[27];
    int (*max_entries)[4096];
    u32 *key;
    struct event *value;
} events SEC(".maps");

volatile const u32 limit = 23;
u64 total;

SEC("tracepoint/syscalls/sys_enter_openat")
int count(struct event *ctx)
{
    if (ctx->pid < limit)
        total += ctx->ts;
    return 0;
}

char LICENSE[] SEC("license") = "GPL";

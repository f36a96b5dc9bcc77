"""Which functions of a text are programs, where they go, and in which dialect they are written."""

from __future__ import annotations

import pytest

from ebpf_lab.errors import UsageProblem
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.spec import Dialect


def programs(text: str, **options: object) -> list[tuple[str, int, str, str]]:
    spec = analyse(text, **options)  # type: ignore[arg-type]
    return [(each.function, each.line, each.section, str(each.probe)) for each in spec.programs]


def refused(text: str, **options: object) -> UsageProblem:
    with pytest.raises(UsageProblem) as caught:
        analyse(text, **options)  # type: ignore[arg-type]
    return caught.value


def test_libbpf_sections() -> None:
    text = """\
#include "vmlinux.h"
// SEC("kprobe/not_this")
char LICENSE[] SEC("license") = "GPL";
const volatile int limit SEC(".rodata") = 1;
static __always_inline int helper(int x) { return x; }
__noinline int global_helper(int x) { return x; }
SEC("kprobe/do_unlinkat")
int BPF_KPROBE(first, int dfd) { bpf_printk("SEC(\\"x\\") int no(void *ctx) {"); return 0; }
SEC("tp/syscalls/sys_enter_openat") int second(struct trace_event_raw_sys_enter *ctx) { return 0; }
SEC("perf_event")
__attribute__((flatten)) static __always_inline
int
third(struct bpf_perf_event_data *ctx)
{ return helper(1); }
SEC("fentry/" "do_unlinkat") int BPF_PROG(fourth, int dfd);
SEC("uprobe.s//bin/x:f+4") int BPF_UPROBE(fifth) { return 0; }
"""
    assert programs(text) == [
        ("first", 8, "kprobe/do_unlinkat", "kprobe:do_unlinkat"),
        ("second", 9, "tp/syscalls/sys_enter_openat", "tracepoint:syscalls:sys_enter_openat"),
        ("third", 13, "perf_event", "None"),
        ("fifth", 16, "uprobe.s//bin/x:f+4", "uprobe.s:/bin/x:f+0x4"),
    ]


def test_bcc_names() -> None:
    text = """\
int kprobe__sys_clone(struct pt_regs *ctx) { return 0; }
int kprobe____x64_sys_clone(struct pt_regs *ctx) { return 0; }
int kretprobe__do_unlinkat(struct pt_regs *ctx) { return 0; }
int syscall__openat(struct pt_regs *ctx, int dfd, const char __user *const __user *argv) { return 0; }
int tracepoint__sched__sched_switch(struct tracepoint__sched__sched_switch *args) { return 0; }
TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{ return 0; }
RAW_TRACEPOINT_PROBE(sys_enter) { return 0; }
KFUNC_PROBE(do_unlinkat, int dfd, struct filename *name) { return 0; }
KRETFUNC_PROBE(do_unlinkat, int dfd, struct filename *name, int ret) { return 0; }
int kfunc__vmlinux__vfs_read(void *ctx) { return 0; }
LSM_PROBE(file_open, struct file *file) { return 0; }
"""
    assert programs(text) == [
        ("kprobe__sys_clone", 1, "", "kprobe:sys_clone"),
        ("kprobe____x64_sys_clone", 2, "", "kprobe:sys_clone"),
        ("kretprobe__do_unlinkat", 3, "", "kretprobe:do_unlinkat"),
        ("syscall__openat", 4, "", "ksyscall:openat"),
        ("tracepoint__sched__sched_switch", 5, "", "tracepoint:sched:sched_switch"),
        ("tracepoint__syscalls__sys_enter_openat", 6, "", "tracepoint:syscalls:sys_enter_openat"),
        ("raw_tracepoint__sys_enter", 8, "", "rawtracepoint:sys_enter"),
        ("kfunc__do_unlinkat", 9, "", "fentry:do_unlinkat"),
        ("kretfunc__do_unlinkat", 10, "", "fexit:do_unlinkat"),
        ("kfunc__vmlinux__vfs_read", 11, "", "fentry:vfs_read"),
        ("lsm__file_open", 12, "", "lsm:file_open"),
    ]


def test_bcc_functions_that_are_no_programs() -> None:
    text = """\
static int quiet(struct pt_regs *ctx) { return 0; }
static inline int inlined(void *ctx) { return 0; }
int called(struct pt_regs *ctx) { return 0; }
int arithmetic(int a) { return a; }
int forgotten(void *ctx) { return called(ctx); }
int sampled(struct bpf_perf_event_data *ctx) { return 0; }
int wanted(int unusual) { return 0; }
"""
    assert programs(text, attach={"wanted": "profile:hz:49"}) == [
        ("forgotten", 5, "", "None"),
        ("sampled", 6, "", "None"),
        ("wanted", 7, "", "profile:hz:49"),
    ]


def test_attach_overrides_names_and_sections() -> None:
    assert programs("int kprobe__a(void *ctx) { return 0; }", attach={"kprobe__a": "kprobe:b"}) == [
        ("kprobe__a", 1, "", "kprobe:b")
    ]
    text = 'SEC("uprobe.s") int f(void *ctx) { return 0; }'
    assert programs(text, attach={"f": "uprobe:libc:printf"}) == [
        ("f", 1, "uprobe.s", "uprobe.s:libc:printf")
    ]
    text = 'SEC("kprobe/a") int f(void *ctx) { return 0; }'
    assert programs(text, attach={"f": "uretprobe:libc:printf"})[0][3] == "uretprobe:libc:printf"


def test_attach_must_suit_the_section() -> None:
    problem = refused('\nSEC("tp/a/b")\nint f(void *ctx) { return 0; }', attach={"f": "kprobe:x"})
    assert problem.what == "f cannot be attached to kprobe:x"
    assert problem.why == 'SEC("tp/a/b") makes it a tracepoint program'
    assert problem.hint == 'put SEC("kprobe") before it'
    assert [(mark.line, mark.text) for mark in problem.where] == [(3, "int f(void *ctx) { return 0; }")]


def test_attach_of_functions_that_cannot_be() -> None:
    text = "int trace_it(void *ctx) { return 0; }\nstatic int hidden(void *ctx) { return 0; }\n"
    problem = refused(text, attach={"trace_yt": "kprobe:x"})
    assert problem.what == "there is no function trace_yt to attach"
    assert problem.hint == "did you mean trace_it?"
    assert "static" in refused(text, attach={"hidden": "kprobe:x"}).why
    problem = refused(
        'SEC("kprobe/a") int f(void *c) { return 0; }\nint g(void *c) { return 0; }', attach={"g": "k:x"}
    )
    assert (problem.why, problem.hint) == ("there is no SEC(…) before it", 'put SEC("kprobe") before it')
    assert "no kind of probe" in refused(text, attach={"trace_it": "kprob:x"}).what


def test_a_program_in_two_sections() -> None:
    problem = refused('SEC("kprobe/a")\nSEC("kprobe/b")\nint f(void *c) { return 0; }')
    assert problem.what == "f is in two sections"
    assert [mark.line for mark in problem.where] == [3]


def test_two_programs_of_one_name() -> None:
    problem = refused(
        'SEC("kprobe/a") int f(void *c) { return 0; }\n\nSEC("kprobe/b") int f(void *c) { return 0; }'
    )
    assert problem.what == "two programs are called f"
    assert [mark.line for mark in problem.where] == [1, 3]
    text = "#ifdef A\nint kprobe__x(void *ctx) { }\n#else\nint kprobe__x(int *ctx) { }\n#endif\n"
    assert [each[1] for each in programs(text)] == [4]


@pytest.mark.parametrize("text", ["", " \n\t", "// only a comment", "#include <linux/sched.h>\n", "/* open"])
def test_empty_texts(text: str) -> None:
    assert refused(text).what == "there is no C here to run"


def test_no_program() -> None:
    problem = refused("BPF_HASH(counts);\nint helper(int a) { return a; }")
    assert problem.what == "there is no BPF program in this text"
    assert "bcc dialect (line 1 has BPF_HASH" in problem.why
    assert "nothing says where helper should run" in problem.why
    assert "--attach" in problem.hint
    problem = refused('#include "vmlinux.h"\nint f(void *ctx) { return 0; }')
    assert "libbpf dialect (it includes vmlinux.h" in problem.why
    assert "SEC(" in problem.hint


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('SEC("kprobe/a") int f(void *ctx) { if (x { return 0; }', ["f"]),
        ('SEC("kprobe/a") int f(void *ctx { return 0; }\nSEC("kprobe/b") int g(void *ctx) { }', ["f", "g"]),
        ('SEC("kprobe/a"\nint f(void *ctx) { return 0; }', []),
        (
            "int kprobe__a(void *ctx) { if (x) { return 0; }\nint kprobe__b(void *ctx) { return 0; }",
            ["kprobe__a", "kprobe__b"],
        ),
        ("int kprobe__a(void *ctx { return 0; }", ["kprobe__a"]),
        ("this is no C at all", []),
    ],
)
def test_broken_c_is_the_compilers_business(text: str, names: list[str]) -> None:
    assert [each[0] for each in programs(text)] == names


def test_attach_reaches_into_broken_c() -> None:
    assert programs("int f(void *ctx { return 0; }", attach={"f": "kprobe:x"}) == [("f", 1, "", "kprobe:x")]


@pytest.mark.parametrize(
    ("text", "dialect", "reason"),
    [
        ('\nSEC("kprobe/a") int f(void *c) {}', Dialect.LIBBPF, "line 2 has SEC(…), which is libbpf's"),
        (
            'BPF_PERF_OUTPUT(e);\nSEC("kprobe/a") int f(void *c) {}',
            Dialect.LIBBPF,
            "line 2 has SEC(…), which is libbpf's; BPF_PERF_OUTPUT in line 1 is bcc's",
        ),
        (
            '// SEC("x")\nBPF_HASH(a); int f(void *ctx) {}',
            Dialect.BCC,
            "line 2 has BPF_HASH, which is bcc's, and there is no SEC(…)",
        ),
        ("int f(void *ctx) { return 0; }", Dialect.BCC, "there is no SEC(…) in it"),
    ],
)
def test_dialects(text: str, dialect: Dialect, reason: str) -> None:
    spec = analyse(text)
    assert (spec.dialect, spec.dialect_reason) == (dialect, reason)


def test_dialect_asked_for() -> None:
    spec = analyse("int kprobe__f(void *ctx) { return 0; }", dialect="bcc")
    assert (spec.dialect, spec.dialect_reason) == (Dialect.BCC, "bcc was asked for")
    assert "libbpf was asked for" in refused("int kprobe__f(void *ctx) { return 0; }", dialect="libbpf").why


def test_settings() -> None:
    text = "#ifdef DEBUG\nint kprobe__b(void *ctx) { }\n#endif\nint kprobe__a(void *ctx) { return LIMIT; }"
    spec = analyse(text, settings={"LIMIT": "23"})
    assert (spec.settings, len(spec.programs)) == ({"LIMIT": "23"}, 1)
    assert len(analyse(text, settings={"DEBUG": "1"}).programs) == 2
    assert refused(text, settings={"LIMITS": "23"}).hint == "did you mean LIMIT?"

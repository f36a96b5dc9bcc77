"""The bcc backend on the running kernel: what it loads, what it counts, and what it says when it cannot."""

import contextlib
import ctypes
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import targets
from support.programs import run

from ebpf_lab.attach import attach
from ebpf_lab.backends.bcc import build
from ebpf_lab.backends.common import BuildOptions
from ebpf_lab.backends.loaded import Loaded, close_all
from ebpf_lab.errors import (
    AttachError,
    CompileError,
    LabError,
    MissingFeature,
    UsageProblem,
    VerifierRejected,
)
from ebpf_lab.host.targets import resolve
from ebpf_lab.readers.counts import read_losses
from ebpf_lab.readers.perfbuf import PerfBuffer
from ebpf_lab.readers.ringbuf import RingBuffer
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.ctype import Array, Enum, Int, Member, Pointer, Struct

pytestmark = pytest.mark.needs("bcc", "headers")

MARKED = re.compile(r"line (\d+):")


@contextlib.contextmanager
def loaded(
    text: str, attached: dict[str, str] | None = None, **options: int | dict[str, str]
) -> Iterator[Loaded]:
    """Compile and load a bcc text."""
    level = options.pop("log_level", 0)
    spec = analyse(text, dialect="bcc", attach=attached, **options)
    compiled = build(spec, BuildOptions(log_level=level))
    try:
        programs = compiled.load({})
    finally:
        compiled.close()
    try:
        yield programs
    finally:
        programs.close()


@contextlib.contextmanager
def attached(programs: Loaded) -> Iterator[None]:
    links: list[int] = []
    try:
        for program in programs.programs:
            links += attach(program, resolve(program.probe))
        yield
    finally:
        close_all(links)


def records(reader: RingBuffer | PerfBuffer) -> list[bytes]:
    return [bytes(record) for batch in reader.drain() for record in batch.data]


def refusal(text: str, error: type[LabError], **options: dict[str, str]) -> LabError:
    """The error that a text ends in."""
    with pytest.raises(error) as raised, loaded(text, **options):
        pass
    return raised.value


def marked(error: LabError) -> list[tuple[int, str]]:
    """Line numbers and what the carets are under."""
    return [
        (mark.line, mark.text[mark.column - 1 :][: mark.length] if mark.column else "")
        for mark in error.where
    ]


KPROBE = "int kprobe__a(void *ctx) { return 0; }"

EVERYTHING = """
enum mood { CALM, ANGRY = 7 };
typedef struct { u8 tag; u16 grid[2][3]; } part_t;
struct event {
    u64 ts;
    enum mood mood;
    char comm[16];
    part_t parts[2];
    u32 low : 3, high : 5;
    union { u32 number; char bytes[4]; };
    void *address;
    bool good;
    signed char small;
};
BPF_RINGBUF_OUTPUT(ring, 8);
BPF_PERF_OUTPUT(perf);
BPF_HASH(counts, u32, struct event);
BPF_HISTOGRAM(sizes);
BPF_PERCPU_ARRAY(totals, u64, 4);
BPF_TABLE("lru_hash", part_t, int, recent, 77);
BPF_STACK_TRACE(stacks, 128);
RAW_TRACEPOINT_PROBE(sys_enter)
{
    struct event event = {};
    struct event *kept = ring.ringbuf_reserve(sizeof(struct event));
    if (kept)
        ring.ringbuf_discard(kept, 0);
    perf.perf_submit(ctx, &event, sizeof(event));
    return 0;
}
"""

U32 = Int("unsigned int", 4, signed=False)
U64 = Int("unsigned long long", 8, signed=False)
PART = Struct(
    "",
    14,
    (
        Member("tag", Int("unsigned char", 1, signed=False), 0),
        Member("grid", Array(Array(Int("unsigned short", 2, signed=False), 3), 2), 16),
    ),
)
EVENT = Struct(
    "event",
    80,
    (
        Member("ts", U64, 0),
        Member("mood", Enum("mood", 4, False, (("CALM", 0), ("ANGRY", 7))), 64),
        Member("comm", Array(Int("char", 1, signed=True, char=True), 16), 96),
        Member("parts", Array(PART, 2), 224),
        Member("low", U32, 448, 3),
        Member("high", U32, 451, 5),
        Member(
            "",
            Struct(
                "",
                4,
                (
                    Member("number", U32, 0),
                    Member("bytes", Array(Int("char", 1, signed=True, char=True), 4), 0),
                ),
                union=True,
            ),
            480,
        ),
        Member("address", Pointer("void"), 512),
        Member("good", Int("_Bool", 1, signed=False, boolean=True), 576),
        Member("small", Int("signed char", 1, signed=True), 584),
    ),
)


class TestTypes:
    def test_events_and_maps_have_their_c_types(self) -> None:
        with loaded(EVERYTHING) as programs:
            streams = {stream.name: stream for stream in programs.streams}
            maps = {each.name: each for each in programs.maps}
            assert streams["ring"].types == streams["perf"].types == (EVENT,)
            assert (maps["counts"].key, maps["counts"].value) == (U32, EVENT)
            assert (maps["recent"].key, maps["recent"].max_entries) == (PART, 77)
            assert maps["sizes"].histogram
            assert not maps["counts"].histogram
            assert maps["totals"].value == U64
            # The kernel takes no types for stack traces.
            assert (maps["stacks"].value, maps["stacks"].value_size) == (None, 127 * 8)

    def test_maps_come_in_the_order_of_the_text_and_internal_ones_not_at_all(self) -> None:
        with loaded(EVERYTHING) as programs:
            assert [each.name for each in programs.maps] == ["counts", "sizes", "totals", "recent", "stacks"]

    def test_a_map_behind_a_macro_is_there_too(self) -> None:
        text = "#define COUNTER(name) BPF_ARRAY(name, u64, 3)\nCOUNTER(opens);\n" + KPROBE
        with loaded(text) as programs:
            assert [(each.name, each.max_entries) for each in programs.maps] == [("opens", 3)]

    def test_without_a_usable_type_the_stream_says_why(self) -> None:
        local = """
BPF_PERF_OUTPUT(perf);
int kprobe__a(void *ctx)
{
    struct local { u32 a; } event = {};
    perf.perf_submit(ctx, &event, sizeof(event));
    return 0;
}
"""
        with loaded(local) as programs:
            (stream,) = programs.streams
            assert stream.types == ()
            assert "local is not a complete type" in stream.why

    def test_floating_point_is_beyond_bcc_and_the_stream_says_so(self) -> None:
        text = EVERYTHING.replace("u64 ts;", "float ts;")
        with loaded(text) as programs:
            assert [stream.types for stream in programs.streams] == [(), ()]
            assert "float" in programs.streams[0].why

    def test_the_type_of_events_can_be_given(self) -> None:
        text = """
struct other { u16 port; };
BPF_PERF_OUTPUT(perf);
int kprobe__a(void *ctx) { u64 x = 0; perf.perf_submit(ctx, &x, sizeof(x)); return 0; }
"""
        with loaded(text, events={"perf": "other"}) as programs:
            assert programs.streams[0].types == (
                Struct("other", 2, (Member("port", Int("unsigned short", 2, signed=False), 0),)),
            )


FLOOD = """
struct event { u64 n; u64 more[3]; };
BPF_RINGBUF_OUTPUT(idle, 1);
BPF_RINGBUF_OUTPUT(events, 1);
RAW_TRACEPOINT_PROBE(sys_enter)
{
    struct event small = { 1 };
    for (int i = 0; i < 500; i++) {
        struct event *event = events.ringbuf_reserve(sizeof(struct event)); if (event) { /* ) */
            event->n = i;
            events.ringbuf_submit(event, 0);
        }
        if ((event = events . ringbuf_reserve(
                 sizeof(struct event))))
            events.ringbuf_discard(event, 0);
        events.ringbuf_output(&small, sizeof(small), 0);
    }
    idle.ringbuf_output(&small, sizeof(small), 0);
    return 0;
}
"""


class TestStreams:
    def test_each_event_is_delivered_or_counted_as_lost(self) -> None:
        with loaded(FLOOD) as programs:
            streams = {stream.name: stream.map for stream in programs.streams}
            reader = RingBuffer(streams["events"].fd, streams["events"].max_entries)
            try:
                for _ in range(20):
                    run(programs, 0, function="raw_tracepoint__sys_enter")
                delivered = len(records(reader))
            finally:
                reader.close()
            # A page has room for 102 records of 40 bytes.  Each round asks for three, of which one is
            # discarded where it fits.
            room = 4096 // 40
            lost = read_losses(programs.losses)
            assert lost["events"] == 20 * 500 * 3 - room
            assert delivered == room - sum(1 for at in range(room) if at % 3 == 1)
            assert lost["idle"] == 0

    def test_23_events_are_23_records_in_a_ring_buffer(self) -> None:
        text = """
struct event { u32 pid; char comm[16]; };
BPF_RINGBUF_OUTPUT(events, 16);
TRACEPOINT_PROBE(syscalls, sys_enter_execve)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event)
        return 0;
    event->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, 0);
    return 0;
}
"""
        with loaded(text) as programs:
            source = programs.streams[0].map
            reader = RingBuffer(source.fd, source.max_entries)
            try:
                with attached(programs):
                    pids = {spawned() for _ in range(23)}
                seen = [struct.unpack_from("<I", record)[0] for record in records(reader)]
            finally:
                reader.close()
            assert sorted(pid for pid in seen if pid in pids) == sorted(pids)
            assert read_losses(programs.losses) == {"events": 0}

    def test_23_events_are_23_records_in_a_perf_buffer(self) -> None:
        text = """
BPF_PERF_OUTPUT(events);
int on_exec(struct tracepoint__syscalls__sys_enter_execve *args)
{
    u64 pid = bpf_get_current_pid_tgid() >> 32;
    events.perf_submit(args, &pid, sizeof(pid));
    return 0;
}
"""
        with loaded(text, {"on_exec": "tracepoint:syscalls:sys_enter_execve"}) as programs:
            reader = PerfBuffer(programs.streams[0].map.fd, 16)
            try:
                with attached(programs):
                    pids = {spawned() for _ in range(23)}
                # perf pads records to a multiple of 8 bytes, behind a length of 4.
                seen = [struct.unpack_from("<Q", record)[0] for record in records(reader)]
            finally:
                reader.close()
            assert sorted(pid for pid in seen if pid in pids) == sorted(pids)


@pytest.fixture(scope="session")
def with_usdt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return targets.build("usdt", tmp_path_factory.mktemp("usdt"))


def spawned() -> int:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


class TestSettings:
    TEXT = """
#ifndef STEP
#define STEP 1
#endif
#define START 100  // the first
BPF_ARRAY(kept, u64, 1);
RAW_TRACEPOINT_PROBE(sys_enter)
{
    kept.increment(0, START + STEP * FACTOR);
    return 0;
}
"""

    def test_a_setting_wins_over_the_texts_own_definition(self) -> None:
        settings = {"STEP": "20", "START": "3", "FACTOR": "(1 + 1)"}
        with loaded(self.TEXT, settings=settings) as programs:
            run(programs, 0, function="raw_tracepoint__sys_enter")
            assert element(programs, "kept") == 43

    def test_without_it_the_text_holds(self) -> None:
        with loaded(self.TEXT, settings={"FACTOR": "2"}) as programs:
            run(programs, 0, function="raw_tracepoint__sys_enter")
            assert element(programs, "kept") == 102


def element(programs: Loaded, name: str) -> int:
    """The first u64 of an array map."""
    from ebpf_lab.host.programs import read_u64

    return read_u64(next(each.fd for each in programs.maps if each.name == name), 0)


class TestUserProbes:
    @pytest.mark.needs("uprobe")
    def test_arguments_of_a_function(self, say: Path) -> None:
        text = """
#include <uapi/linux/ptrace.h>
BPF_ARRAY(sum, u64, 1);
int on_double(struct pt_regs *ctx, int number)
{
    sum.increment(0, number);
    return 0;
}
"""
        with loaded(text, {"on_double": f"uprobe:{say}:double_it"}) as programs, attached(programs):
            subprocess.run([say, "10"], stdout=subprocess.DEVNULL, check=True)
            assert element(programs, "sum") == sum(range(10))

    @pytest.mark.needs("usdt")
    def test_usdt_arguments_in_registers_memory_and_constants(self, with_usdt: Path) -> None:
        text = """
#include <uapi/linux/ptrace.h>
struct event { int number; long square; int sign; };
BPF_PERF_OUTPUT(events);
int on_step(struct pt_regs *ctx)
{
    struct event event = {};
    bpf_usdt_readarg(1, ctx, &event.number);
    bpf_usdt_readarg(2, ctx, &event.square);
    bpf_usdt_readarg(3, ctx, &event.sign);
    events.perf_submit(ctx, &event, sizeof(event));
    return 0;
}
int on_rare(struct pt_regs *ctx)
{
    struct event event = {};
    bpf_usdt_readarg(1, ctx, &event.number);
    events.perf_submit(ctx, &event, sizeof(event));
    return 0;
}
"""
        probes = {"on_step": f"usdt:{with_usdt}:lab:step", "on_rare": f"usdt:{with_usdt}:rare"}
        with loaded(text, probes) as programs:
            assert [len(program.sites) for program in programs.programs] == [2, 1]
            reader = PerfBuffer(programs.streams[0].map.fd, 16)
            try:
                with attached(programs):
                    subprocess.run([with_usdt, "3"], check=True)
                events = [struct.unpack_from("<i4xqi", record) for record in records(reader)]
            finally:
                reader.close()
        expected = []
        for number in range(3):
            square = number * number << 32
            expected += [(-number, square, -7), (-number, square, 7), (-number, 0, 0)]
        assert events == expected

    @pytest.mark.needs("usdt")
    def test_a_usdt_argument_that_the_probe_has_not(self, with_usdt: Path) -> None:
        text = """#include <uapi/linux/ptrace.h>
int on_rare(struct pt_regs *ctx)
{
    u64 n = 0;
    bpf_usdt_readarg(2, ctx, &n);
    return n;
}
"""
        error = refusal(text, UsageProblem, attached={"on_rare": f"usdt:{with_usdt}:lab:rare"})
        assert marked(error) == [(5, "bpf_usdt_readarg(2")]
        assert error.why == "it has 1, counted from 1"

    @pytest.mark.needs("usdt")
    def test_errors_of_a_usdt_text_are_in_its_own_lines(self, with_usdt: Path) -> None:
        text = """#include <uapi/linux/ptrace.h>
int on_step(struct pt_regs *ctx) { u64 n = 0; bpf_usdt_readarg(1, ctx, &n); return wrong; }
"""
        error = refusal(text, CompileError, attached={"on_step": f"usdt:{with_usdt}:lab:step"})
        assert marked(error) == [(2, "wrong")]


def tracepoint(body: str, before: str = "") -> str:
    """A text whose line 4 is ``body``."""
    return f"{before}\nTRACEPOINT_PROBE(syscalls, sys_enter_openat)\n{{\n    {body}\n    return 0;\n}}\n"


class TestCompileErrors:
    def test_errors_are_at_the_learners_lines_and_columns(self) -> None:
        text = """#include <uapi/linux/ptrace.h>
struct event { u32 pid; };
BPF_RINGBUF_OUTPUT(events, 8);
TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event)); int a = first_wrong;
\tif (!event) return 0; event->second_wrong = 1;
    events.ringbuf_submit(event, 0);
    return 0;
}
int syscall__openat(struct pt_regs *ctx, int dfd,
                    const char *name)
{
    /* größe */ return third_wrong;
}
"""
        error = refusal(text, CompileError)
        assert marked(error) == [(6, "first_wrong"), (7, "second_wrong"), (14, "third_wrong")]
        assert "undeclared identifier 'first_wrong'" in error.what

    @pytest.mark.parametrize(
        ("text", "line", "why"),
        [
            (tracepoint("return missing_function();"), 4, "no C library"),
            (tracepoint("return bpf_get_current_uid_gid() * 1.5;"), 4, "floating-point"),
            (
                tracepoint("s64 a = bpf_get_current_pid_tgid(), b = args->dfd; return a / b;"),
                4,
                "only unsigned",
            ),
            (tracepoint('bpf_trace_printk("%d %d %d %d", 1, 2, 3, 4);'), 4, "three values"),
        ],
    )
    def test_what_bpf_cannot_do(self, text: str, line: int, why: str) -> None:
        error = refusal(text, CompileError)
        assert error.where[0].line == line
        assert why in error.why

    def test_a_full_stack_does_not_take_the_process_along(self) -> None:
        body = "char name[600] = {}; bpf_probe_read_user_str(name, sizeof(name), args->filename);"
        error = refusal(tracepoint(body), CompileError)
        assert "512 bytes" in error.why
        assert "BPF_PERCPU_ARRAY" in error.hint

    def test_a_missing_header(self) -> None:
        error = refusal("\n#include <linux/no_such.h>\nint kprobe__a(void *c) { return 0; }", CompileError)
        assert "'linux/no_such.h' file not found" in error.what
        assert error.where[0].line == 2

    def test_the_text_may_spoil_a_header(self) -> None:
        text = "#define int long wrong\n#include <linux/sched.h>\nint kprobe__a(void *c) { return 0; }"
        assert refusal(text, CompileError).where[0].line == 2

    @pytest.mark.parametrize(
        ("declaration", "why"),
        [
            ("BPF_RINGBUF_OUTPUT(bad, 3);", "power of two"),
            ("BPF_PERCPU_ARRAY(bad, struct { char c[100000]; }, 1);", "larger than"),
        ],
    )
    def test_a_map_that_the_kernel_refuses(self, declaration: str, why: str) -> None:
        error = refusal(f"\n{declaration}\n{KPROBE}", UsageProblem)
        assert "map bad" in error.what
        assert error.where[0].line == 2
        assert why in error.why

    def test_no_program(self) -> None:
        text = "#ifdef NEVER\n#define MAYBE\n#else\n#define MAYBE static\n#endif\nMAYBE " + KPROBE
        assert refusal(text, CompileError).where[0].line == 6


class TestVerifier:
    def test_a_forgotten_null_check(self) -> None:
        text = """
struct event { u32 pid; };
BPF_RINGBUF_OUTPUT(events, 8);
TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    event->pid = 1;
    events.ringbuf_submit(event, 0);
    return 0;
}
"""
        error = refusal(text, VerifierRejected)
        assert "_or_null'" in error.what
        assert [mark.line for mark in error.where] == [6, 7]
        assert error.why == "events.ringbuf_reserve can return NULL, and this path never checked"
        assert error.hint == "if (!event) return 0;"
        assert "; event->pid = 1; @ cell.c:7" in error.log

    def test_lines_are_known_where_bcc_gave_up_its_line_records(self) -> None:
        # EINVAL makes it load once more without them.
        text = """
struct event { u32 pid; };
BPF_RINGBUF_OUTPUT(events, 8);
TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event)
        return 0;
    event->pid = args->dfd;
    if (event->pid == 7)
        return 0;
    events.ringbuf_submit(event, 0);
    return 0;
}
"""
        error = refusal(text, VerifierRejected)
        assert "reference" in error.what
        assert error.where[0].line == 6
        assert "ringbuf_discard" in error.hint

    def test_a_global_variable(self) -> None:
        error = refusal(tracepoint("counter++;", "static int counter;"), VerifierRejected)
        assert error.why.startswith("bcc has no global variables")
        assert [mark.line for mark in error.where] == [4]

    def test_what_it_says_of_accepted_programs(self) -> None:
        with loaded(tracepoint("u32 answer = 42;"), log_level=2) as programs:
            assert list(programs.logs) == ["tracepoint__syscalls__sys_enter_openat"]
            assert all("processed " in log for log in programs.logs.values())
        with loaded(tracepoint("u32 answer = 42;")) as programs:
            assert programs.logs == {}


SYSCALL = """
#include <uapi/linux/ptrace.h>
BPF_ARRAY(kept, u64, 1);
int NAME(struct pt_regs *ctx, int dfd, const char *name, int flags)
{
    if (dfd == -4242 && flags == 0x40)
        kept.increment(0);
    return 0;
}
"""


class TestKernelFunctions:
    @pytest.mark.needs("kprobe")
    @pytest.mark.parametrize(
        ("name", "attach"),
        [
            ("syscall__openat", None),
            ("mine", {"mine": "ksyscall:openat"}),
            ("mine", {"mine": "kprobe:sys_openat"}),
        ],
    )
    def test_a_system_calls_arguments(self, name: str, attach: dict[str, str] | None) -> None:
        with loaded(SYSCALL.replace("NAME", name), attach) as programs:
            assert [program.function for program in programs.programs] == [name]
            with attached(programs):
                for _ in range(23):
                    ctypes.CDLL(None).openat(-4242, b"no such file", 0x40, 0)
            assert element(programs, "kept") == 23

    @pytest.mark.needs("kprobe")
    def test_a_return_value(self) -> None:
        text = """
#include <uapi/linux/ptrace.h>
BPF_ARRAY(kept, u64, 1);
int kretprobe__sys_setns(struct pt_regs *ctx)
{
    if ((int)PT_REGS_RC(ctx) == -9)
        kept.increment(0);
    return 0;
}
"""
        with loaded(text) as programs, attached(programs):
            libc = ctypes.CDLL(None)
            for _ in range(23):
                libc.setns(-1, 0)
            assert element(programs, "kept") == 23

    @pytest.mark.needs("fentry")
    def test_typed_arguments(self) -> None:
        text = """
BPF_ARRAY(kept, u64, 1);
KFUNC_PROBE(ksys_read, unsigned int fd)
{
    if (fd == 12345)
        kept.increment(0);
    return 0;
}
"""
        with loaded(text) as programs, attached(programs):
            for _ in range(23):
                with contextlib.suppress(OSError):
                    os.read(12345, 1)
            assert element(programs, "kept") == 23

    @pytest.mark.needs("fentry")
    def test_a_function_that_btf_has_not(self) -> None:
        text = "KFUNC_PROBE(no_such_function, int a) { return 0; }"
        error = refusal(text, AttachError)
        assert "no such function" in error.what
        assert error.where[0].line == 1


class TestNotForBcc:
    @pytest.mark.needs("!fentry")
    def test_a_kernel_without_typed_functions_says_so(self) -> None:
        refusal("KFUNC_PROBE(ksys_read, unsigned int fd) { return 0; }", MissingFeature)

    @pytest.mark.parametrize(
        ("probe", "says"),
        [
            ("tp_btf:sched_switch", "typed raw tracepoints"),
            ("fentry:do_unlinkat", "part of the function's name"),
            ("lsm:file_open", "part of the function's name"),
        ],
    )
    def test_probes_that_it_has_no_programs_for(self, probe: str, says: str) -> None:
        error = refusal("int mine(void *ctx) { return 0; }", UsageProblem, attached={"mine": probe})
        assert says in str(error)
        assert error.where[0].line == 1

    def test_no_package(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("EBPF_LAB_BCC", str(tmp_path))
        error = refusal(tracepoint(""), MissingFeature)
        assert "python3-bpfcc" in error.hint
        assert str(tmp_path) in error.why

    def test_no_headers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ebpf_lab.host.kernel.headers", lambda: None)
        error = refusal(tracepoint(""), MissingFeature)
        assert "headers" in error.what
        assert "linux-headers" in error.hint

    def test_a_package_that_cannot_be_imported(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "libbcc.py").write_text("")
        (tmp_path / "__init__.py").write_text("import no_such_module")
        monkeypatch.setenv("EBPF_LAB_BCC", str(tmp_path))
        assert "no_such_module" in refusal(tracepoint(""), MissingFeature).why


class TestProcess:
    def test_nothing_is_printed_and_the_directory_stays(self, capfd: pytest.CaptureFixture[str]) -> None:
        before = os.getcwd()
        with loaded(EVERYTHING):
            pass
        refusal(tracepoint("return wrong;"), CompileError)
        assert capfd.readouterr() == ("", "")
        assert os.getcwd() == before

    def test_an_interrupt_while_it_compiles_leaves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socket.recv_fds", interrupt)
        with pytest.raises(KeyboardInterrupt):
            build(analyse(EVERYTHING, dialect="bcc"), BuildOptions())

    def test_a_compiler_that_is_killed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        popen = subprocess.Popen

        def killed(*args: object, **options: object) -> subprocess.Popen[bytes]:
            process = popen(*args, **options)
            process.kill()
            return process

        monkeypatch.setattr("subprocess.Popen", killed)
        error = refusal(EVERYTHING, CompileError)
        assert error.what == "bcc's compiler ended with signal 9"

    def test_bcc_is_not_imported_here(self) -> None:
        with loaded(EVERYTHING):
            pass
        assert "bcc" not in sys.modules

    def test_what_is_loaded_outlives_the_compiler(self) -> None:
        spec = analyse(FLOOD, dialect="bcc")
        compiled = build(spec, BuildOptions())
        programs = compiled.load({})
        compiled.close()
        compiled.close()
        try:
            run(programs, 0, function="raw_tracepoint__sys_enter")
        finally:
            programs.close()

    def test_closing_without_loading_leaves_nothing(self) -> None:
        build(analyse(EVERYTHING, dialect="bcc"), BuildOptions()).close()

    def test_an_end_while_it_loads_leaves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        compiled = build(analyse(EVERYTHING, dialect="bcc"), BuildOptions())
        monkeypatch.setattr("ebpf_lab.backends.bcc.loaded_map", interrupt)
        with pytest.raises(KeyboardInterrupt):
            compiled.load({})
        compiled.close()


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt

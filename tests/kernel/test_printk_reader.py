"""Lines of bpf_printk on the real kernel."""

import os
import select
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
from support.programs import loaded, run

from ebpf_lab.attach import attach
from ebpf_lab.backends.loaded import Loaded, close_all
from ebpf_lab.host.targets import resolve
from ebpf_lab.readers.printk import PrintkReader
from ebpf_lab.readers.printk_lines import lines

pytestmark = pytest.mark.needs("printk")

PRINTER = """
static long one(__u32 i, __u64 *first)
{
    bpf_printk("line %llu of this test", *first + i);
    return 0;
}
SEC("raw_tp/sys_enter") int produce(struct bpf_raw_tracepoint_args *ctx)
{
    __u64 first = ctx->args[1];
    return bpf_loop(ctx->args[0], one, &first, 0);
}
"""
GREETER = """
SEC("tracepoint/syscalls/sys_enter_getpgid") int produce(void *ctx)
{
    char comm[16];
    bpf_get_current_comm(comm, sizeof comm);
    bpf_printk("getpgid by %s %d\\n", comm, (__u32)bpf_get_current_pid_tgid());
    return 0;
}
"""


def messages(reader: PrintkReader, marker: bytes) -> list[bytes]:
    """Messages of the test: other programs of the machine may be printing too."""
    return [text for text in lines(reader.drain())["message"].tolist() if marker in text]


@pytest.fixture
def greeter():
    with loaded(GREETER) as programs:
        yield from attached(programs)


def attached(programs: Loaded):
    links: list[int] = []
    for program in programs.programs:
        links += attach(program, resolve(program.probe))
    yield programs
    close_all(links)


@pytest.mark.parametrize("count", [1, 23, 997])
def test_every_line_arrives_once(count):
    with loaded(PRINTER) as programs, closing(PrintkReader()) as reader:
        run(programs, count, 0)
        assert messages(reader, b"of this test") == [b"line %d of this test" % n for n in range(count)]
        assert messages(reader, b"of this test") == []
        assert reader.lost == 0


def test_lines_from_before_do_not_appear():
    with loaded(PRINTER) as programs:
        run(programs, 5, 1000)
        with closing(PrintkReader()) as reader:
            run(programs, 2, 0)
            assert messages(reader, b"of this test") == [b"line 0 of this test", b"line 1 of this test"]


def test_two_readers_both_get_every_line():
    with loaded(PRINTER) as programs, closing(PrintkReader()) as one, closing(PrintkReader()) as other:
        run(programs, 23, 0)
        assert messages(one, b"of this test") == messages(other, b"of this test") != []


@pytest.mark.needs("tracefs")
def test_trace_pipe_is_left_alone():
    pipe = "/sys/kernel/tracing/trace_pipe"
    with (
        loaded(PRINTER) as programs,
        open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as theirs,
    ):
        with closing(PrintkReader()) as reader:
            run(programs, 23, 7_000_000)
            assert len(messages(reader, b"of this test")) == 23
        text = b""
        while chunk := theirs.read(1 << 16):
            text += chunk
        assert text.count(b"line 70000") == 23


@pytest.mark.needs("tracepoint")
def test_a_program_on_a_tracepoint_is_heard(greeter):
    """The kernel runs it with perf's recursion guard taken, which silences perf events on its lines."""
    with closing(PrintkReader()) as reader:
        for _ in range(23):
            os.getpgid(0)
        found = lines(reader.drain())
        mine = found[found["pid"] == os.getpid()]
        assert len(mine) == 23
        assert reader.lost == 0


@pytest.mark.needs("tracepoint")
def test_the_line_says_who_printed_it_and_when(greeter):
    with closing(PrintkReader()) as reader:
        began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        # The child is renamed between fork and the line, and gone when the line is read.
        script = (
            "import os,threading;open('/proc/self/comm','w').write('short-lived');os.fork() or os.getpgid(0)"
        )
        subprocess.run(["python3", "-c", script], check=True)
        ended = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        found = lines(reader.drain())
        (line,) = found[found["comm"] == b"short-lived"]
        assert line["message"] == b"getpgid by short-lived %d" % line["tid"]
        assert line["tid"] == line["pid"] != os.getpid()
        assert began < line["ts"] < ended
        assert line["cpu"] in range(os.cpu_count() or 1)


def test_long_lines_come_whole():
    text = """
    static char text[LENGTH + 1];
    SEC("raw_tp/sys_enter") int produce(struct bpf_raw_tracepoint_args *ctx)
    {
        __u64 length = ctx->args[0];
        if (length > LENGTH)
            return 0;
        for (int i = 0; i < LENGTH; i++)
            text[i] = i < length ? 'a' + i % 26 : 0;
        bpf_printk("<%s>", text);
        return 0;
    }
    """.replace("LENGTH", "300")
    alphabet = bytes(ord("a") + i % 26 for i in range(300))
    with loaded(text) as programs, closing(PrintkReader()) as reader:
        sizes = [3, 124, 125, 126, 127, 128, 250, 300]
        for size in sizes:
            run(programs, size)
        assert messages(reader, b"<") == [b"<%s>" % alphabet[:size] for size in sizes]


def test_a_flood_is_delivered_or_counted():
    with loaded(PRINTER) as programs, closing(PrintkReader()) as reader:
        produced = 0
        while produced < 40_000:
            run(programs, 4001, produced)
            produced += 4001
        delivered = len(messages(reader, b"of this test"))
        assert 20_000 < delivered < produced
        assert delivered + reader.lost == produced


def test_a_line_wakes_a_poller():
    with loaded(PRINTER) as programs, closing(PrintkReader()) as reader, select.epoll() as epoll:
        epoll.register(reader.fds[0], select.EPOLLIN)
        reader.drain()
        run(programs, 1, 0)
        assert epoll.poll(2)


def test_closing_leaves_nothing():
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        PrintkReader().close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before

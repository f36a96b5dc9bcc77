"""Input that cannot work: one clear error or the sensible result, nothing left, and the next trace works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support import kernel_objects
from support.backends import BCC, LIBBPF, each_backend
from support.machine import EMULATED, ROOT
from support.texts import LIBBPF_HEAD, on_seek, seek_stream

import ebpf_lab
from ebpf_lab.session import prepare

STOP_SECONDS = 5.0 if EMULATED else 0.5
FLOOD = 1_000_000 if EMULATED else 10_000_000

GOOD = seek_stream("libbpf", "ringbuf")

pytestmark = LIBBPF  # for the good trace that follows each


@pytest.fixture(autouse=True)
def the_next_trace_works(seek: Path) -> Iterator[None]:
    """After each test nothing is attached, and a good program runs as if the bad one had never been."""
    before = kernel_objects.Snapshot()
    yield
    assert kernel_objects.leaks(before) == []
    assert sorted(ebpf_lab.trace(GOOD, command=[str(seek), "23"]).frame["offset"]) == list(range(23))


def line_of(text: str, part: str) -> int:
    """Number of the one line that holds ``part``."""
    (number,) = (number for number, line in enumerate(text.splitlines(), 1) if part in line)
    return number


def attached(function_or_section: str) -> str:
    """A text that does nothing at the place that a libbpf section names."""
    return f'{LIBBPF_HEAD}\nSEC("{function_or_section}")\nint nothing(void *ctx)\n{{\n    return 0;\n}}\n'


# The text


@pytest.mark.parametrize("text", ["", "  \n\n", "// nothing but a comment\n"])
def test_empty_text(text: str) -> None:
    with pytest.raises(ebpf_lab.UsageProblem):
        ebpf_lab.trace(text, seconds=1)


def test_text_without_a_program() -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match="no BPF program"):
        ebpf_lab.trace("static int helper(int x) { return x; }\n", seconds=1)


def test_program_that_nothing_attaches() -> None:
    text = f'{LIBBPF_HEAD}\nSEC("uprobe")\nint lonely(void *ctx) {{ return 0; }}\n'
    with pytest.raises(ebpf_lab.UsageProblem, match="lonely") as caught:
        ebpf_lab.trace(text, seconds=1)
    assert "--attach lonely=" in caught.value.hint


@each_backend
def test_c_that_does_not_compile(backend: str) -> None:
    text = on_seek(backend, "u64 length = 1;\n    if (lenght)\n        return 1;")
    with pytest.raises(ebpf_lab.CompileError, match="lenght") as caught:
        ebpf_lab.trace(text, seconds=1)
    mark, suggestion = caught.value.where
    assert mark.line == line_of(text, "if (lenght)")
    assert mark.text.strip() == "if (lenght)"
    assert mark.text[mark.column - 1 :].startswith("lenght")
    assert suggestion.line == line_of(text, "u64 length")


@each_backend
def test_verifier_rejects(backend: str) -> None:
    lookup = {"libbpf": "bpf_map_lookup_elem(&counts, &key)", "bcc": "counts.lookup(&key)"}[backend]
    counts = {
        "libbpf": "struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, u32);"
        ' __type(value, u64); } counts SEC(".maps");',
        "bcc": "BPF_HASH(counts, u32, u64, 8);",
    }[backend]
    text = on_seek(backend, f"u32 key = 1;\n    u64 *count = {lookup};\n    *count += 1;", counts)
    with pytest.raises(ebpf_lab.VerifierRejected, match="map_value_or_null") as caught:
        ebpf_lab.trace(text, seconds=1)
    assert line_of(text, "*count += 1") in [mark.line for mark in caught.value.where]
    assert "NULL" in caught.value.why
    assert "processed" in caught.value.log


def test_wrong_dialect() -> None:
    with pytest.raises(ebpf_lab.LabError):
        ebpf_lab.trace(GOOD, backend="bcc", seconds=1)


# The place to attach


def test_tracepoint_that_does_not_exist() -> None:
    with pytest.raises(ebpf_lab.AttachError, match="sys_enter_opennat") as caught:
        ebpf_lab.trace(attached("tracepoint/syscalls/sys_enter_opennat"), seconds=1)
    assert "sys_enter_openat" in str(caught.value)
    (mark,) = caught.value.where
    assert mark.text[mark.column - 1 :][: mark.length] == "sys_enter_opennat"


def test_raw_tracepoint_that_does_not_exist() -> None:
    with pytest.raises(ebpf_lab.AttachError, match="sched_swich") as caught:
        ebpf_lab.trace(attached("raw_tp/sched_swich"), seconds=1)
    assert "sched_switch" in str(caught.value)


def test_library_symbol_that_does_not_exist() -> None:
    with pytest.raises(ebpf_lab.AttachError, match="prinft") as caught:
        ebpf_lab.trace(attached("uprobe/libc:prinft"), seconds=1)
    assert "printf" in str(caught.value).replace("prinft", "")


def test_library_that_does_not_exist() -> None:
    with pytest.raises(ebpf_lab.AttachError, match="libnowhere"):
        ebpf_lab.trace(attached("uprobe/libnowhere:printf"), seconds=1)


@pytest.mark.needs("kprobe")
def test_kernel_function_that_does_not_exist() -> None:
    with pytest.raises(ebpf_lab.AttachError, match="do_sys_openat3") as caught:
        ebpf_lab.trace(attached("kprobe/do_sys_openat3"), seconds=1)
    assert "do_sys_openat2" in str(caught.value)


@pytest.mark.needs("kprobe")
def test_system_call_that_does_not_exist() -> None:
    with pytest.raises(ebpf_lab.AttachError, match="openatt") as caught:
        ebpf_lab.trace(attached("ksyscall/openatt"), seconds=1)
    assert "openat" in str(caught.value).replace("openatt", "")


@pytest.mark.needs("!kprobe")
@pytest.mark.parametrize("dialect", [pytest.param("libbpf", marks=LIBBPF), pytest.param("bcc", marks=BCC)])
def test_kernel_without_kprobes(dialect: str) -> None:
    text = (ROOT / "bpf_snippets" / f"hello_clone.{dialect}.c").read_text()
    with pytest.raises(ebpf_lab.MissingFeature, match="kprobe") as caught:
        ebpf_lab.trace(text, seconds=1)
    assert "tracepoint:syscalls:sys_enter_clone" in caught.value.hint


def test_probe_that_is_none() -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match="tracepont"):
        ebpf_lab.trace(GOOD, attach={"on_seek": "tracepont:syscalls:sys_enter_lseek"}, seconds=1)


def test_function_that_does_not_exist() -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match="on_seak") as caught:
        ebpf_lab.trace(GOOD, attach={"on_seak": "tracepoint:syscalls:sys_enter_lseek"}, seconds=1)
    assert "on_seek" in str(caught.value)


# The machine

TRY = """
import sys
import ebpf_lab
try:
    ebpf_lab.trace(sys.stdin.read(), seconds=0.1)
except ebpf_lab.LabError as error:
    print(error.block())
else:
    print("worked")
"""


def try_elsewhere(text: str, tmp_path: Path, *wrapper: str) -> str:
    """Trace for a moment in a process that ``wrapper`` has taken something from; return the error's text."""
    result = subprocess.run(
        [*wrapper, sys.executable, "-c", TRY],
        input=text,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def hiding(path: str) -> list[str]:
    """A wrapper with a view of the file system in which ``path`` is an empty directory."""
    return ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs tmpfs {path} && exec "$@"', "sh"]


@each_backend
def test_without_privilege(backend: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    answer = try_elsewhere(
        seek_stream(backend, "ringbuf"),
        tmp_path,
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *("--inh-caps=-all", "--bounding-set=-all"),
    )
    assert answer.startswith("MissingPrivilege: ")
    assert "CAP_BPF" in answer
    assert "root" in answer


def test_without_btf(tmp_path: Path) -> None:
    answer = try_elsewhere(GOOD, tmp_path, *hiding("/sys/kernel/btf"))
    assert answer.startswith("MissingFeature: ")
    assert "/sys/kernel/btf/vmlinux" in answer


@BCC
def test_without_headers(tmp_path: Path) -> None:
    answer = try_elsewhere(seek_stream("bcc", "ringbuf"), tmp_path, *hiding("/lib/modules"))
    assert answer.startswith("MissingFeature: ")
    assert "headers" in answer
    assert "apt" in answer


# The arguments


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seconds": -5}, "-5"),
        ({"seconds": 0}, "more than 0"),
        ({"events": 0}, "at least 1"),
        ({"seconds": 1, "keep": "lots"}, "lots"),
        ({"seconds": 1, "backend": "llvm"}, "llvm"),
        ({"seconds": 1, "only": True}, "command"),
        ({"command": "cat '/etc/host name'"}, r"\['cat', '/etc/host name'\]"),
        ({"command": "cat '"}, r"""\['cat', "'"\]"""),
        ({"seconds": 1, "event": {"evnts": "event"}}, "evnts"),
        ({"seconds": 1, "set": {"no_such_global": 1}}, "no_such_global"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_argument_that_cannot_be_meant(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match=words):
        ebpf_lab.trace(GOOD, **arguments)


@each_backend
def test_event_type_that_does_not_exist(backend: str, seek: Path) -> None:
    with pytest.raises(ebpf_lab.UsageProblem, match="struct evnt"):
        ebpf_lab.trace(seek_stream(backend, "ringbuf"), event={"events": "evnt"}, command=[str(seek), "23"])


# The command


def test_command_that_does_not_exist() -> None:
    with pytest.raises(ebpf_lab.CommandFailed, match="no-such-command"):
        ebpf_lab.trace(GOOD, command=["no-such-command", "x"])


def test_command_that_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a program\n")
    with pytest.raises(ebpf_lab.CommandFailed, match=r"notes\.txt"):
        ebpf_lab.trace(GOOD, command=[str(tmp_path / "notes.txt")])


def test_command_that_exits_at_once() -> None:
    trace = ebpf_lab.trace(GOOD, command=["true"])
    assert len(trace.frame) == 0
    assert "offset" in trace.frame.columns
    assert trace.command_status == 0


def test_command_that_fails() -> None:
    assert ebpf_lab.trace(GOOD, command=["sh", "-c", "exit 7"]).command_status == 7


@pytest.mark.parametrize(
    "command", [["sleep", "1000"], ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]]
)
def test_stop_of_a_command_that_runs_for_ever(command: list[str]) -> None:
    trace = prepare(GOOD, command=command).start()
    time.sleep(0.3)
    begun = time.monotonic()
    trace.stop()
    assert time.monotonic() - begun < STOP_SECONDS
    assert trace.command_status in (-signal.SIGTERM, -signal.SIGKILL)


def test_interrupt_keeps_what_came(seek: Path) -> None:
    def interrupt() -> None:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    timer = threading.Timer(1.0 if not EMULATED else 20.0, interrupt)
    timer.start()
    trace = ebpf_lab.trace(GOOD, command=["sh", "-c", f"{seek} 23; sleep 1000"])
    timer.join()
    assert sorted(trace.frame["offset"]) == list(range(23))


def test_command_that_leaves_a_daemon(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    begun = time.monotonic()
    ebpf_lab.trace(GOOD, command=["sh", "-c", f"setsid sleep 1000 & echo $! >{note}"])
    daemon = int(note.read_text())
    try:
        assert time.monotonic() - begun < 60
        os.kill(daemon, 0)  # it is left alone
    finally:
        with suppress(ProcessLookupError):
            os.kill(daemon, signal.SIGKILL)


# Several traces, and many events


@each_backend
@pytest.mark.parametrize("kind", ["ringbuf", "printk"])
def test_same_program_twice_at_once(backend: str, kind: str, seek: Path) -> None:
    text = seek_stream(backend, kind)
    with ebpf_lab.trace(text) as first, ebpf_lab.trace(text) as second:
        subprocess.run([seek, "23"], check=True)
    for trace in (first, second):
        # Each of the two programs writes its own line of printk, and a line carries no owner's name.
        assert len(trace.frame) == (23 if kind == "ringbuf" else 46)


def test_started_twice() -> None:
    trace = ebpf_lab.trace(GOOD).start()
    try:
        with pytest.raises(ebpf_lab.UsageProblem, match="started before"):
            trace.start()
    finally:
        trace.stop()


def peak_memory(reset: bool = False) -> int:
    """Most bytes of memory that this process has held since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def test_ten_million_events_in_bounded_memory(seek: Path) -> None:
    text = on_seek(
        "libbpf",
        """for (int i = 0; i < 1000; i++) {
        struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
        if (!event)
            continue;
        event->ts = bpf_ktime_get_ns();
        event->offset = offset;
        event->number = i;
        bpf_ringbuf_submit(event, 0);
    }""",
        """
struct event { u64 ts; s64 offset; u64 number; u64 unused; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 16 << 20); } events SEC(".maps");
""",
    )
    before = peak_memory(reset=True)
    trace = ebpf_lab.trace(text, command=[str(seek), str(FLOOD // 1000)], keep="16MiB")
    frame, stats = trace.frame, trace.stats.streams["events"]
    assert stats.delivered + stats.dropped == FLOOD
    assert stats.delivered - stats.not_kept == len(frame) == (16 << 20) // 32
    assert f"kept the first {len(frame):,}" in trace.header
    assert peak_memory() - before < 512 << 20

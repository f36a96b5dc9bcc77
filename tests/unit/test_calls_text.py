"""System calls in words, from calls made by hand: the numbers and shapes of both architectures."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from ebpf_lab.frame.calls import values
from ebpf_lab.frame.calls.files import Ended, Files
from ebpf_lab.frame.calls.frames import in_words
from ebpf_lab.frame.calls.shapes import shapes
from ebpf_lab.frame.calls.text import Call, call_text, path_of, result_text
from ebpf_lab.frame.decoders import syscall_numbers

FDCWD = (1 << 64) - 100
BOTH = pytest.mark.parametrize("arch", ["x86_64", "aarch64"])


class World:
    """Calls of one traced command, in their order."""

    def __init__(self, arch: str) -> None:
        self.arch = arch
        self.files = Files({0: "/dev/null", 1: "pipe:[7]"}, "/home/ann")
        self.now = 1000

    def call(
        self,
        name: str,
        *args: int,
        ret: int | None = 0,
        texts: Mapping[int, bytes] | None = None,
        tid: int = 10,
    ) -> str:
        words = [arg & (1 << 64) - 1 for arg in args] + [0] * (6 - len(args))
        seen = Call(tid, name, syscall_numbers(self.arch).get(name, 0), words, ret, texts or {})
        text = call_text(seen, self.files, self.arch)
        self.now += 10
        if ret is not None:
            self.files.ended(Ended(10, tid, name, words, ret, texts or {}, self.now - 5, self.now))
        return f"{text} = {result_text(seen, self.files)}"

    def open(self, path: bytes, fd: int, flags: int = 0, directory: int = FDCWD, tid: int = 10) -> str:
        return self.call("openat", directory, 0x1000, flags, ret=fd, texts={1: path + b"\0"}, tid=tid)


@BOTH
def test_open_read_close(arch: str) -> None:
    world = World(arch)
    cloexec = 0o2000000
    assert (
        world.open(b"/etc/passwd", 3, cloexec)
        == 'openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3</etc/passwd>'
    )
    assert world.call("read", 3, 0x1000, 832, ret=5, texts={1: b"ab\n\0\xff"}) == (
        r'read(3</etc/passwd>, "ab\n\0\377", 832) = 5'
    )
    assert world.call("write", 1, 0x1000, 40, ret=40, texts={1: b"x" * 32}) == (
        f'write(1<pipe:[7]>, "{"x" * 32}"..., 40) = 40'
    )
    assert world.call("close", 3) == "close(3</etc/passwd>) = 0"
    assert world.call("close", 3, ret=-9) == "close(3) = -1 EBADF (Bad file descriptor)"


def test_flags_are_the_architecture_s() -> None:
    # O_DIRECTORY and O_NOFOLLOW have other bits on arm64, which keeps those of 32-bit arm.
    assert "O_DIRECTORY" in World("x86_64").open(b"d", 3, 0o200000)
    assert "O_DIRECTORY" in World("aarch64").open(b"d", 3, 0o40000)
    assert "PROT_BTI" in World("aarch64").call("mprotect", 0x1000, 4096, 0x11)
    assert "0x10" in World("x86_64").call("mprotect", 0x1000, 4096, 0x11)


def test_the_order_of_clone_s_arguments() -> None:
    texts = {
        arch: World(arch).call("clone", 0x1200011, 0, 0, 0x77, 0x88, ret=11) for arch in ("x86_64", "aarch64")
    }
    flags = "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD"
    assert texts["x86_64"] == f"clone({flags}, NULL, NULL, 0x77, 0x88) = 11"
    assert texts["aarch64"] == f"clone({flags}, NULL, NULL, 0x77, 0x88) = 11"
    known = {arch: [each.argument for each in shapes(arch).get("clone", ())] for arch in texts}
    assert known == {"x86_64": [], "aarch64": []}


@BOTH
def test_calls_that_do_not_return(arch: str) -> None:
    assert World(arch).call("exit_group", 3, ret=None) == "exit_group(3) = ?"


@BOTH
@pytest.mark.parametrize(
    ("name", "args", "ret", "texts", "expected"),
    [
        ("mmap", (0, 8192, 3, 0x22, -1, 0), 0x7F0000000000,
         {}, "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000"),
        ("mmap", (0, 1, 0, 1, -1, 0), 0x1000, {}, "mmap(NULL, 1, PROT_NONE, MAP_SHARED, -1, 0) = 0x1000"),
        ("faccessat", (FDCWD, 1, 4), -2, {1: b"/x\0"},
         'faccessat(AT_FDCWD, "/x", R_OK) = -1 ENOENT (No such file or directory)'),
        ("kill", (5, 9), 0, {}, "kill(5, SIGKILL) = 0"),
        ("lseek", (0, -1, 1), 5, {}, "lseek(0</dev/null>, -1, SEEK_CUR) = 5"),
        ("nanosleep", (1, 0), -516, {0: struct.pack("<qq", 1, 500)},
         "nanosleep({tv_sec=1, tv_nsec=500}, NULL) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)"),
        ("wait4", (-1, 1, 0, 0), 12, {1: struct.pack("<I", 3 << 8)},
         "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 12"),
        ("wait4", (-1, 1, 1, 0), 12, {1: struct.pack("<I", 9)},
         "wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], WNOHANG, NULL) = 12"),
        ("connect", (3, 1, 16), -115, {1: struct.pack("<H", 2) + b"\0\x50\x7f\0\0\1" + bytes(8)},
         'connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16)'
         " = -1 EINPROGRESS (Operation now in progress)"),
        ("bind", (3, 1, 28), 0, {1: struct.pack("<HHI", 10, 0x5000, 0) + bytes(15) + b"\1" + bytes(4)},
         'bind(3, {sa_family=AF_INET6, sin6_port=htons(80), sin6_addr="::1"}, 28) = 0'),
        ("connect", (3, 1, 11), 0, {1: struct.pack("<H", 1) + b"/run/sock"},
         'connect(3, {sa_family=AF_UNIX, sun_path="/run/sock"}, 11) = 0'),
        ("connect", (3, 1, 7), 0, {1: struct.pack("<H", 1) + b"\0name"},
         'connect(3, {sa_family=AF_UNIX, sun_path=@"name"}, 7) = 0'),
        ("renameat2", (FDCWD, 1, FDCWD, 2, 1), 0, {1: b"a\0", 3: b"b\0"},
         'renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE) = 0'),
        ("execve", (1, 2, 0x30), 0, {0: b"/bin/sh\0", 1: b"sh\0-c\0a b\0"},
         'execve("/bin/sh", ["sh", "-c", "a b"], 0x30) = 0'),
        ("openat2", (FDCWD, 1, 2, 24), 3, {1: b"f\0", 2: struct.pack("<QQQ", 0o101, 0o644, 8)},
         'openat2(AT_FDCWD, "f", {flags=O_WRONLY|O_CREAT, mode=0o644, resolve=0x8}, 24) = 3</home/ann/f>'),
        ("prlimit64", (0, 3, 0, 1), 0, {3: struct.pack("<QQ", 8 << 20, (1 << 64) - 1)},
         "prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0"),
        ("rt_sigprocmask", (0, 1, 0, 8), 0, {1: struct.pack("<Q", 1 << 16 | 1 << 1)},
         "rt_sigprocmask(SIG_BLOCK, [INT CHLD], NULL, 8) = 0"),
        ("futex", (0x10, 0x80, 2, 0), -11, {},
         "futex(0x10, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0) = -1 EAGAIN (Resource temporarily unavailable)"),
        ("ioctl", (1, 0x5401, 0x10), -25, {},
         "ioctl(1<pipe:[7]>, TCGETS, 0x10) = -1 ENOTTY (Inappropriate ioctl for device)"),
        ("socket", (1, 0x80001, 0), 4, {}, "socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 4<socket>"),
        ("pipe2", (1, 0o2000000), 0, {0: struct.pack("<ii", 5, 6)}, "pipe2([5, 6], O_CLOEXEC) = 0"),
        ("getcwd", (1, 4096), 5, {0: b"/tmp\0"}, 'getcwd("/tmp", 4096) = 5'),
        ("read", (0, 0x1000, 10), -4, {},
         "read(0</dev/null>, 0x1000, 10) = -1 EINTR (Interrupted system call)"),
    ],
)  # fmt: skip
def test_words(
    arch: str, name: str, args: Sequence[int], ret: int, texts: Mapping[int, bytes], expected: str
) -> None:
    assert World(arch).call(name, *args, ret=ret, texts=texts) == expected


def test_unknown_calls_show_all_their_words() -> None:
    assert World("x86_64").call("", 0, 16, ret=-38).startswith("syscall_0x0(0, 0x10, 0, 0, 0, 0) = -1 ENOSYS")


@BOTH
def test_modes_are_shown_where_they_count(arch: str) -> None:
    world = World(arch)
    assert world.call("openat", FDCWD, 1, 0o101, 0o644, ret=3, texts={1: b"f\0"}).startswith(
        'openat(AT_FDCWD, "f", O_WRONLY|O_CREAT, 0644)'
    )
    assert world.call("openat", FDCWD, 1, 1, 0o644, ret=4, texts={1: b"f\0"}).startswith(
        'openat(AT_FDCWD, "f", O_WRONLY) '
    )


def test_descriptors_follow_duplication_and_directories() -> None:
    world = World("x86_64")
    world.open(b"notes", 3, 0o2000000)
    assert world.files.name(10, 3) == "/home/ann/notes"
    world.call("dup2", 3, 1, ret=1)
    world.call("fcntl", 3, 1030, 10, ret=10)
    world.call("chdir", 1, texts={0: b"../bob\0"})
    world.open(b"x", 4)
    world.open(b"/srv", 5)
    world.open(b"y", 6, directory=5)
    assert [world.files.name(10, fd) for fd in (1, 10, 4, 6)] == [
        "/home/ann/notes", "/home/ann/notes", "/home/bob/x", "/srv/y",
    ]  # fmt: skip
    world.call("execve", 1, 2, 3)
    # dup2's copy stays open over execve, the original and fcntl's do not.
    assert [world.files.name(10, fd) for fd in (1, 3, 4, 10)] == ["/home/ann/notes", "", "/home/bob/x", ""]


def test_children_copy_and_threads_share() -> None:
    world = World("x86_64")
    world.open(b"/a", 3)
    world.files.started(10, 11, 0)  # fork
    world.files.started(10, 12, 0x400 | 0x200)  # a thread
    world.open(b"/b", 4, tid=12)
    world.call("chdir", 1, texts={0: b"/srv\0"}, tid=12)
    world.call("close", 3)
    assert [world.files.name(thread, 3) for thread in (10, 11, 12)] == ["", "/a", ""]
    assert [world.files.name(thread, 4) for thread in (10, 11, 12)] == ["/b", "", "/b"]
    world.open(b"x", 5)
    world.open(b"x", 5, tid=11)
    assert [world.files.name(thread, 5) for thread in (10, 11)] == ["/srv/x", "/home/ann/x"]


def test_a_close_that_began_before_the_open_does_not_take_its_name() -> None:
    files = Files({}, "/")
    files.ended(Ended(10, 10, "openat", [FDCWD, 0, 0, 0, 0, 0], 3, {1: b"/old\0"}, 1, 2))
    # Another thread's close of 3 begins at 5; 3 is given away anew at 7; the close returns at 9.
    files.started(10, 11, 0x400)
    files.ended(Ended(10, 11, "openat", [FDCWD, 0, 0, 0, 0, 0], 3, {1: b"/new\0"}, 4, 7))
    files.ended(Ended(10, 10, "close", [3, 0, 0, 0, 0, 0], 0, {}, 5, 9))
    assert files.name(10, 3) == "/new"


def test_a_thread_that_executes_becomes_the_first() -> None:
    files = Files({1: "out"}, "/")
    files.started(10, 11, 0x400)
    files.gone(10)
    files.ended(Ended(10, 11, "execve", [0] * 6, 0, {}, 5, 9))
    assert files.name(10, 1) == "out"


def test_paths() -> None:
    files = Files({3: "/etc/passwd"}, "/")
    renamed = Call(1, "rename", 0, [1, 2, 0, 0, 0, 0], 0, {0: b"a\0", 1: b"b\0"})
    read = Call(1, "read", 0, [3, 2, 0, 0, 0, 0], 0, {})
    stat = Call(1, "newfstatat", 0, [3, 2, 0, 0, 0, 0], 0, {1: b"\0"})
    assert [path_of(each, files, "x86_64") for each in (renamed, read, stat)] == [
        "a",
        "/etc/passwd",
        "/etc/passwd",
    ]


def test_strings_that_were_cut_say_so() -> None:
    assert values.string(b"x" * 3 + b"\0", 4096) == '"xxx"'
    assert values.string(b"x" * 4095 + b"\0", 4096).endswith('x"...')
    many = values.strings(b"".join(b"%d\0" % n for n in range(33)))
    assert many.endswith('"31", ...]')
    assert values.strings(b"".join(b"%d\0" % n for n in range(32))).endswith('"31"]')


def rows(arch: str, *calls: tuple[str, int, list[int], int, bool, list[bytes]]) -> pd.DataFrame:
    """A frame as the kernel side's events give it."""
    numbers = syscall_numbers(arch)
    columns: dict[str, object] = {
        "ts": np.arange(len(calls), dtype=np.int64) * 100,
        "duration_ns": np.full(len(calls), 10, np.int64),
        "pid": [call[1] for call in calls],
        "tid": [call[1] for call in calls],
        "nr": [numbers[call[0]] for call in calls],
        "ret": [call[3] for call in calls],
    }
    for at in range(6):
        columns[f"args[{at}]"] = np.array(
            [(call[2] + [0] * 6)[at] & (1 << 64) - 1 for call in calls], np.uint64
        )
    columns["returned"] = [call[4] for call in calls]
    for at in range(3):
        columns[f"sizes[{at}]"] = [len(call[5][at]) if at < len(call[5]) else -1 for call in calls]
    columns["data"] = [b"".join(call[5]) for call in calls]
    return pd.DataFrame(columns)


@BOTH
def test_frames(arch: str) -> None:
    frame = rows(
        arch,
        ("openat", 10, [FDCWD, 1, 0], 3, True, [b"/etc/hosts\0"]),
        ("read", 11, [3, 1, 10], 4, True, [b"text"]),
        ("exit_group", 10, [0], 0, False, []),
    )
    frame.index = pd.Index([0, 2, 3], name="event")
    starts = pd.DataFrame(
        {"tid": [11], "parent": [10], "nr": [syscall_numbers(arch)["clone"]], "flags": [17], "at": [0]},
        index=pd.Index([1], name="event"),
    )
    made = in_words({"call": frame, "start": starts}, Files({}, "/"), arch)["call"]
    assert made["call"].tolist() == [
        'openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 3</etc/hosts>',
        'read(3</etc/hosts>, "text", 10) = 4',
        "exit_group(0) = ?",
    ]
    assert made["path"].tolist() == ["/etc/hosts", "/etc/hosts", ""]
    assert made["ret"].tolist()[:2] == [3, 4]
    assert made["ret"].isna().tolist() == [False, False, True]
    assert not {"returned", "sizes[0]", "data"} & set(made.columns)


def test_other_frames_stay_as_they_are() -> None:
    frame = pd.DataFrame({"nr": [1], "ret": [2]})
    assert in_words({"event": frame}, Files({}, "/"))["event"] is frame

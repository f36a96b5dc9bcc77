"""What is said where rights or the machine are lacking: each taken away for real, and the fix followed."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.backends import BCC, LIBBPF
from support.machine import ROOT

from ebpf_lab.host import kernel

pytestmark = LIBBPF

TRY = """
import json
import sys
import ebpf_lab
texts = {
    "raw": 'SEC("raw_tp/sched_switch") int p(void *ctx) { return 0; }',
    "tracepoint": 'SEC("tracepoint/syscalls/sys_enter_openat") int p(void *ctx) { return 0; }',
    "uprobe": 'SEC("uprobe/libc:malloc") int p(void *ctx) { return 0; }',
    "profile": 'SEC("perf_event") int p(void *ctx) { return 0; }',
    "xdp": 'SEC("xdp") int p(struct xdp_md *ctx) { return 2; }',
    "printk": 'SEC("raw_tp/sched_switch") int p(void *ctx) { bpf_printk("a"); return 0; }',
    "ring": '''struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 65536); } e SEC(".maps");
               SEC("raw_tp/sched_switch") int p(void *ctx)
               { u64 v = 1; return bpf_ringbuf_output(&e, &v, 8, 0); }''',
    "perf": '''struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __type(key, u32); __type(value, u32); }
               e SEC(".maps"); SEC("raw_tp/sched_switch") int p(void *ctx)
               { u64 v = 1; return bpf_perf_event_output(ctx, &e, BPF_F_CURRENT_CPU, &v, 8); }''',
    "bcc": 'RAW_TRACEPOINT_PROBE(sched_switch) { return 0; }',
}
places = {"profile": {"p": "profile:hz:9"}, "xdp": {"p": "xdp:lo"}}
said = {}
for kind in sys.argv[1:]:
    try:
        ebpf_lab.trace(texts[kind], attach=places.get(kind), seconds=0.05)
    except ebpf_lab.LabError as error:
        # Neither marks in the text above nor the compiler's log are what is looked at here.
        error.where, error.log = (), ""
        said[kind] = error.block()
    else:
        said[kind] = "worked"
print(json.dumps(said))
"""

Attempt = Callable[..., str]


@pytest.fixture(scope="module")
def caches() -> Iterator[Path]:
    """Where anyone may have a cache: what is compiled for one test serves the next."""
    # Not in pytest's directories, which are its user's alone.
    with tempfile.TemporaryDirectory(prefix="ebpf-lab-caches-") as path:
        Path(path).chmod(0o777)
        yield Path(path)


@pytest.fixture
def attempts(caches: Path, home: Path) -> Callable[..., dict[str, str]]:
    """Trace texts for a moment in a process that ``wrapper`` has taken something from; what came of each."""

    def run(kinds: list[str], *wrapper: str, **named: object) -> dict[str, str]:
        cache = str(home if "--reuid=65534" in wrapper else caches)
        done = subprocess.run(
            [*wrapper, sys.executable, "-c", TRY, *kinds],
            capture_output=True, text=True, cwd=ROOT, check=False,
            env={**os.environ, "XDG_CACHE_HOME": cache, "PYTHONDONTWRITEBYTECODE": "1"}
            | {"PYTHONPATH": str(ROOT)}, **named,  # type: ignore[call-overload]
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said: dict[str, str] = json.loads(done.stdout)
        return said

    return run


@pytest.fixture
def attempt(attempts: Callable[..., dict[str, str]]) -> Attempt:
    """As ``attempts``, of one text."""
    return lambda kind, *wrapper, **named: attempts([kind], *wrapper, **named)[kind]


def user_with(*capabilities: str) -> list[str]:
    """A wrapper that leaves an ordinary user with these capabilities."""
    given = ",".join(f"+{name}" for name in capabilities) or "-all"
    return [
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *(f"--inh-caps={given}", f"--ambient-caps={given}"),
    ]


BPF, PERFMON, READ, ADMIN = "bpf", "perfmon", "dac_read_search", "sys_admin"

LOAD = "may not load BPF programs: Operation not permitted"
READ_TRACEFS = "may not read tracefs: Operation not permitted"

# What an ordinary user with these capabilities cannot do: of each kind the first line, and what is lacking.
REFUSED = [
    (
        (),
        {
            "raw": (LOAD, "CAP_BPF and CAP_PERFMON"),
            "ring": (LOAD, "CAP_BPF and CAP_PERFMON"),
            "tracepoint": (READ_TRACEFS, "CAP_BPF, CAP_PERFMON and CAP_DAC_READ_SEARCH"),
            "uprobe": (LOAD, "CAP_SYS_ADMIN"),
            "xdp": (LOAD, "CAP_BPF and CAP_NET_ADMIN"),
        },
    ),
    (
        (BPF,),
        {
            "raw": ("may not use raw tracepoints", "CAP_PERFMON (EPERM)"),
            "profile": ("may not use sampling by the clock", "CAP_PERFMON (EPERM)"),
            "uprobe": ("may not use uprobes", "CAP_SYS_ADMIN (EPERM)"),
            "xdp": ("may not use XDP", "CAP_NET_ADMIN (EPERM)"),
        },
    ),
    (
        (BPF, PERFMON, READ),
        {
            "uprobe": ("may not attach p to uprobe:libc:malloc: Operation not permitted", "CAP_SYS_ADMIN"),
            "xdp": ("may not use XDP", "CAP_NET_ADMIN (EPERM)"),
        },
    ),
    ((BPF, PERFMON), {"tracepoint": (READ_TRACEFS, "CAP_DAC_READ_SEARCH")}),
]


@pytest.mark.parametrize(("held", "expected"), REFUSED, ids=["none", "bpf", "three", "two"])
def test_capability_that_is_missing(
    held: tuple[str, ...],
    expected: dict[str, tuple[str, str]],
    attempts: Callable[..., dict[str, str]],
) -> None:
    mended: dict[str, list[str]] = {}
    for kind, block in attempts(list(expected), *user_with(*held)).items():
        what, lacks = expected[kind]
        first, why, fix = block.splitlines()
        assert (first, why) == (f"MissingPrivilege: {what}", f"  why   this process lacks {lacks}")
        offer, _, command = fix.partition(": sudo ")
        assert offer == "  fix   run as root (sudo ./lab start), or give a program just these"
        mended.setdefault(command, []).append(kind)
    for command, kinds in mended.items():
        # The command that the fix names does mend it.
        for_nobody = (
            command.removesuffix(" PROGRAM")
            .replace("--reuid $USER", "--reuid=65534")
            .replace("$(id -g)", "65534")
            .replace("--init-groups", "--clear-groups")
        )
        assert attempts(kinds, *shlex.split(for_nobody)) == dict.fromkeys(kinds, "worked")


@pytest.mark.parametrize(
    ("held", "kinds"),
    [
        ((BPF, PERFMON), ["perf", "profile", "printk"]),
        ((ADMIN,), ["raw", "uprobe"]),
    ],
)
def test_capabilities_that_suffice(
    held: tuple[str, ...], kinds: list[str], attempts: Callable[..., dict[str, str]]
) -> None:
    assert attempts(kinds, *user_with(*held)) == dict.fromkeys(kinds, "worked")


@BCC
def test_capability_that_bcc_misses(attempt: Attempt) -> None:
    first, why, _ = attempt("bcc", *user_with(BPF)).splitlines()
    assert first == "MissingPrivilege: may not use raw tracepoints"
    assert why == "  why   this process lacks CAP_PERFMON (EPERM)"
    assert attempt("bcc", *user_with(BPF, PERFMON)) == "worked"


def test_user_namespace(attempt: Attempt) -> None:
    assert attempt("raw", "unshare", "--user", "--map-root-user") == (
        "MissingPrivilege: may not load BPF programs: Operation not permitted\n"
        "  why   this process is in a user namespace (a rootless container?), where its capabilities do not "
        "count for BPF\n"
        "  fix   run it outside the container, or in a container started by root"
    )


def deny_bpf() -> None:
    """Install a seccomp filter as a container's: bpf(2) is answered with EPERM."""
    number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    code = b"".join(
        struct.pack("<HBBI", *instruction)
        for instruction in (
            (0x20, 0, 0, 0),  # load the call's number
            (0x15, 0, 1, number),
            (0x06, 0, 0, 0x00050001),  # SECCOMP_RET_ERRNO | EPERM
            (0x06, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
        )
    )
    buffer = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("<H6xQ", 4, ctypes.addressof(buffer)))
    if ctypes.CDLL(None, use_errno=True).prctl(22, 2, program):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "prctl")


def test_seccomp_filter(attempt: Attempt) -> None:
    assert attempt("raw", preexec_fn=deny_bpf) == (
        "MissingPrivilege: may not load BPF programs: Operation not permitted\n"
        "  why   this process has the capabilities, but a seccomp filter (a container's?) is in force\n"
        "  fix   start the container with --privileged, or with a profile that allows bpf and perf_event_open"
    )


# The machine


def in_mounts(commands: str) -> list[str]:
    """A wrapper with a view of the file system that shell commands have changed."""
    return ["unshare", "--mount", "sh", "-e", "-c", f'{commands}; exec "$@"', "sh"]


WITHOUT_TRACEFS = "umount -l /sys/kernel/tracing; umount -l /sys/kernel/debug 2>/dev/null || :"


def test_tracefs_is_not_mounted(attempt: Attempt) -> None:
    block = (
        "MissingFeature: tracefs is not mounted\n"
        "  why   the kernel lists its tracepoints there, with the number that each is attached by\n"
        "  fix   sudo mount -t tracefs tracefs /sys/kernel/tracing"
    )
    assert attempt("tracepoint", *in_mounts(WITHOUT_TRACEFS)) == block
    # One who may not mount either is told the same: sudo is in it.
    assert attempt("tracepoint", *in_mounts(WITHOUT_TRACEFS), *user_with(BPF, PERFMON, READ)) == block
    command = block.partition("sudo ")[2]
    assert attempt("tracepoint", *in_mounts(f"{WITHOUT_TRACEFS}; {command}")) == "worked"


def test_no_btf(attempt: Attempt) -> None:
    assert attempt("raw", *in_mounts("mount -t tmpfs tmpfs /sys/kernel/btf")) == (
        "MissingFeature: the libbpf dialect needs the kernel's BTF, and /sys/kernel/btf/vmlinux does not"
        " exist\n"
        "  why   this kernel was built without CONFIG_DEBUG_INFO_BTF\n"
        '  fix   a program that includes <linux/bpf.h> in place of "vmlinux.h" needs no BTF; the bcc dialect '
        "needs kernel headers instead"
    )


@BCC
def test_no_headers(attempt: Attempt) -> None:
    release = os.uname().release
    assert attempt("bcc", *in_mounts("mount -t tmpfs tmpfs /lib/modules")) == (
        "MissingFeature: the bcc dialect needs the kernel's headers\n"
        f"  why   /lib/modules/{release}/build holds no kernel headers\n"
        f"  fix   sudo apt install linux-headers-{release} (the libbpf dialect needs none)"
    )


@BCC
def test_headers_that_bcc_cannot_read(attempt: Attempt, tmp_path: Path) -> None:
    """As a newer kernel's are to bcc 0.26: what they are written in is not what its compiler reads."""
    headers = kernel.headers()
    assert headers is not None
    trees = (headers.path, headers.path.parent / "source")
    path = next(tree / "include/linux/types.h" for tree in trees if (tree / "include/linux/types.h").exists())
    newer = tmp_path / "types.h"
    newer.write_text(f"{path.read_text()}\n#error this needs a newer compiler\n")
    wrapper = in_mounts(f"mount --bind {newer} {path}")
    first, why, fix = attempt("bcc", *wrapper).splitlines()
    assert re.fullmatch(r"MissingFeature: bcc 0\.\d+\.\d+ cannot read the headers of Linux \S+", first)
    assert why.startswith("  why   include/linux/types.h:")
    assert why.endswith(": this needs a newer compiler")
    assert fix.startswith('  fix   use the libbpf dialect (SEC("…")), which needs neither bcc nor headers, ')
    assert attempt("raw", *wrapper) == "worked"


def test_no_bcc(attempt: Attempt) -> None:
    assert attempt("bcc", *in_mounts("mount -t tmpfs tmpfs /usr/lib/python3/dist-packages")) == (
        "MissingFeature: the bcc dialect needs bcc, and its Python package is not installed\n"
        "  why   the package of that name on Python's index is another one\n"
        '  fix   sudo apt install python3-bpfcc, or use the libbpf dialect (SEC("…")), which needs neither'
        " bcc nor headers"
    )


@pytest.fixture
def without(tmp_path: Path) -> Callable[[str], list[str]]:
    """A wrapper whose PATH has no program called so, and another in its place if a script is given."""

    def wrapper(script: str) -> list[str]:
        directory = tmp_path / "bin"
        directory.mkdir()
        if script:
            (directory / "clang").write_text(script)
            (directory / "clang").chmod(0o755)
        return ["env", f"PATH={directory}"]

    return wrapper


def test_no_clang(attempt: Attempt, without: Callable[[str], list[str]]) -> None:
    assert attempt("raw", *without("")) == (
        "MissingFeature: the libbpf dialect needs clang, which is not installed\n"
        "  fix   sudo apt install clang"
    )


def test_clang_that_is_too_old(attempt: Attempt, without: Callable[[str], list[str]]) -> None:
    script = "#!/bin/sh\necho 'Debian clang version 9.0.1-16'\necho 'error: unknown target CPU' >&2\nexit 1\n"
    assert attempt("raw", *without(script)) == (
        "MissingFeature: clang 9 is too old for the libbpf dialect, which needs clang 11 or later\n"
        "  fix   sudo apt install clang"
    )


@pytest.mark.skipif(shutil.which("cc") is None, reason="it takes a C compiler")
def test_libbpf_that_is_too_old(attempt: Attempt, tmp_path: Path) -> None:
    directory = tmp_path / "lib"
    directory.mkdir()
    subprocess.run(
        ["cc", "-shared", "-x", "c", "-o", directory / "libbpf.so.1", "-"],
        input=b"unsigned libbpf_major_version(void) { return 1; }\n",
        check=True,
    )
    assert attempt("raw", "env", f"LD_LIBRARY_PATH={directory}") == (
        "MissingFeature: the libbpf dialect needs libbpf 1.1 or later\n"
        "  why   the libbpf.so.1 that is installed is older: it has no libbpf_minor_version\n"
        "  fix   sudo apt install libbpf1   (Debian 12 and later, Ubuntu 24.04 and later)"
    )


def test_libbpf_that_is_not_there(attempt: Attempt) -> None:
    hidden = next(path for path in map(Path, ("/usr/lib", "/usr/lib64")) if list(path.glob("**/libbpf.so.1")))
    files = " ".join(f"mount --bind /dev/null {path};" for path in hidden.glob("**/libbpf.so.1"))
    first, why, fix = attempt("raw", *in_mounts(files.rstrip(";"))).splitlines()
    assert first == "MissingFeature: the libbpf dialect needs libbpf 1.x, and libbpf.so.1 cannot be loaded"
    assert "libbpf.so.1" in why
    assert fix == "  fix   sudo apt install libbpf1   (Debian 12 and later, Ubuntu 24.04 and later)"


@pytest.fixture
def switch() -> Iterator[Callable[[str, int], None]]:
    """Set a sysctl until the test ends."""
    before: dict[Path, str] = {}

    def turn(name: str, value: int) -> None:
        path = Path("/proc/sys/kernel", name)
        before.setdefault(path, path.read_text())
        path.write_text(f"{value}\n")

    yield turn
    for path, value in before.items():
        path.write_text(value)


def test_memory_that_cannot_be_locked(attempt: Attempt, switch: Callable[[str, int], None]) -> None:
    needed = 257 * mmap.PAGESIZE // 1024
    switch("perf_event_mlock_kb", 0)
    wrapper = [*user_with(BPF, PERFMON), "prlimit", "--memlock=0"]
    assert attempt("perf", *wrapper) == (
        "MissingPrivilege: may not lock memory for a perf buffer: Operation not permitted\n"
        "  why   kernel.perf_event_mlock_kb is 0, the process's own limit (ulimit -l) 0 KiB, and it lacks "
        "CAP_IPC_LOCK\n"
        f"  fix   sudo sysctl kernel.perf_event_mlock_kb={needed}"
    )
    switch("perf_event_mlock_kb", needed)
    assert attempt("perf", *wrapper) == "worked"


@pytest.mark.parametrize("level", [0, 2])
def test_unprivileged_bpf(level: int, attempt: Attempt, switch: Callable[[str, int], None]) -> None:
    """It opens no more than maps and socket filters to those without rights: tracing takes the same."""
    switch("unprivileged_bpf_disabled", level)
    first, why, _ = attempt("raw", *user_with()).splitlines()
    assert first.startswith("MissingPrivilege: may not ")
    assert "lacks CAP_BPF and CAP_PERFMON" in why


@pytest.mark.needs("kprobe")  # the kernels of distributions have that level
def test_perf_event_paranoid(attempt: Attempt, switch: Callable[[str, int], None]) -> None:
    switch("perf_event_paranoid", 3)
    assert attempt("profile", *user_with(BPF, PERFMON)) == (
        "MissingPrivilege: may not attach p to profile:hz:9: Operation not permitted\n"
        "  why   kernel.perf_event_paranoid is 3, which keeps out CAP_PERFMON\n"
        "  fix   sudo sysctl kernel.perf_event_paranoid=2"
    )
    switch("perf_event_paranoid", 2)
    assert attempt("profile", *user_with(BPF, PERFMON)) == "worked"

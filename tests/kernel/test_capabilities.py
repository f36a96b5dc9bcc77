"""The capabilities of ``lima/ebpf-lab.service``: with all of them all works, without one not what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.backends import BCC, LIBBPF
from support.rights import GRANTED, UNIT, attempts, user_with

ADMIN = "CAP_SYS_ADMIN"
CALLER = "import os, time\nwhile True:\n    os.getpgid(0)\n    time.sleep(0.002)"
# Of the kinds that take the same rights one stands for all: each try waits for the kernel to detach.
TRIED = ("ring", "tracepoint", "uprobe", "profile", "xdp", "kernel names", "run counts", "interfaces")
TRACING = {"ring", "tracepoint", "uprobe", "profile", "kernel names"}
BY_ADMIN = {"uprobe", "run counts", "interfaces"}

# What fails without a capability, and without CAP_SYS_ADMIN too where that includes it.
WITHOUT = {
    ("CAP_BPF", ADMIN): {*TRACING, "xdp"},
    ("CAP_PERFMON", ADMIN): TRACING,
    ("CAP_DAC_READ_SEARCH",): {"tracepoint"},
    ("CAP_SYS_ADMIN",): BY_ADMIN,
    ("CAP_NET_ADMIN",): {"interfaces"},
    ("CAP_NET_ADMIN", ADMIN): {"xdp", "interfaces"},
    ("CAP_SYSLOG",): {"kernel names"},
}


@pytest.fixture(scope="module")
def caller() -> Iterator[int]:
    """The PID of another user's process that calls getpgid(2) all the time."""
    process = subprocess.Popen([sys.executable, "-c", CALLER])
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def paranoid() -> Iterator[None]:
    """kernel.perf_event_paranoid as ``lima/provision.sh`` sets it: Debian's 3 keeps CAP_PERFMON out."""
    path = Path("/proc/sys/kernel/perf_event_paranoid")
    before = path.read_text()
    path.write_text("2")
    yield
    path.write_text(before)


@pytest.fixture(scope="module")
def found(home: Path, caller: int, paranoid: None) -> dict[tuple[str, ...], dict[str, str]]:
    """What came of each kind with all of them, (), and of some without each of :data:`WITHOUT`."""
    with ThreadPoolExecutor(4) as pool:  # nearly all of it is waiting for the kernel to detach
        tried = {(): attempts(home, GRANTED)}  # first, and alone: the others take what it compiles
        removals = {
            removed: pool.submit(attempts, home, [name for name in GRANTED if name not in removed], TRIED)
            for removed in WITHOUT
        }
        return tried | {removed: future.result() for removed, future in removals.items()}


def test_each_capability_has_its_comment() -> None:
    found = re.findall(r"((?:^#.*\n)+)AmbientCapabilities=(\w+)$", UNIT, re.MULTILINE)
    assert [name for _, name in found] == list(GRANTED)
    assert len(set(GRANTED)) == len(GRANTED) == 8
    tried = {removed[0] for removed in WITHOUT} | {"CAP_SYS_PTRACE", "CAP_IPC_LOCK"}
    assert tried == set(GRANTED)


@LIBBPF
def test_all_of_them_suffice(found: dict[tuple[str, ...], dict[str, str]]) -> None:
    assert len(found[()]) == 11
    assert set(found[()].values()) == {"worked"}


@LIBBPF
@pytest.mark.parametrize("removed", WITHOUT, ids="-".join)
def test_without_one_what_its_comment_says(
    removed: tuple[str, ...], found: dict[tuple[str, ...], dict[str, str]]
) -> None:
    failed = {kind: said for kind, said in found[removed].items() if said != "worked"}
    assert set(failed) == WITHOUT[removed] | (BY_ADMIN if ADMIN in removed else set())
    for kind in WITHOUT[removed]:
        # A uprobe takes CAP_SYS_ADMIN, which includes the others: where it is missing too, it is named.
        named = ADMIN if kind == "uprobe" and ADMIN in removed else removed[0]
        assert named in failed[kind], failed[kind]


@LIBBPF
def test_without_sys_ptrace_names_in_programs_of_others(home: Path, caller: int) -> None:
    def sees_mappings(*capabilities: str) -> bool:
        looks = [*user_with(capabilities), "cat", f"/proc/{caller}/maps"]
        return subprocess.run(looks, capture_output=True, check=False).returncode == 0

    assert sees_mappings("CAP_SYS_PTRACE")
    found = attempts(home, [name for name in GRANTED if name != "CAP_SYS_PTRACE"], ["user names"])
    # Since Linux 6.15 CAP_PERFMON sees them, too.
    assert ("CAP_SYS_PTRACE" in found["user names"]) != sees_mappings("CAP_PERFMON"), found


def test_nothing_is_given_that_root_may_not_hand_on() -> None:
    done = subprocess.run(
        [*user_with(GRANTED), "grep", "CapAmb", "/proc/self/status"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout.split()[1], 16).bit_count() == len(GRANTED)


# Each shows 23 of 23 events, and counts what is lost.
SNIPPETS = [
    pytest.param("exec_ring.libbpf", id="tracepoint-ringbuf"),
    pytest.param("printf_probe.libbpf", id="uprobe-ringbuf"),
    pytest.param("open_monitor.bcc", marks=BCC, id="tracepoint-perfbuf"),
    pytest.param("open_monitor_kprobe.libbpf", marks=pytest.mark.needs("kprobe"), id="kprobe-perfbuf"),
]


@LIBBPF
@pytest.mark.usefixtures("paranoid")
@pytest.mark.parametrize("name", SNIPPETS)
def test_every_event_comes(name: str, home: Path) -> None:
    assert attempts(home, GRANTED, [name]) == {name: "worked"}

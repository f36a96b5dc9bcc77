"""``ebpf-lab doctor`` on machines that lack something: each thing really taken away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.backends import LIBBPF
from support.machine import ROOT
from support.rights import GRANTED, home_for_anybody, user_with

from ebpf_lab.host import doctor, features, machine

DOCTOR = [sys.executable, "-m", "ebpf_lab.cli", "doctor", "--json"]


@pytest.fixture
def home() -> Iterator[Path]:
    with home_for_anybody() as path:
        yield path


def report(home: Path, *wrapper: str) -> tuple[dict[str, Any], int]:
    """What the doctor says under a wrapper, with its checks by name, and its exit status."""
    here = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*wrapper, *DOCTOR],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **here, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    found["checks"] = {each["name"]: each for each in found["checks"]}
    return found, done.returncode


def in_mounts(commands: str) -> list[str]:
    """A wrapper with a view of the file system that shell commands have changed."""
    return ["unshare", "--mount", "sh", "-e", "-c", f'{commands}; exec "$@"', "sh"]


@LIBBPF
def test_here_the_course_can_run(home: Path) -> None:
    found, status = report(home)
    assert list(found["checks"]) == [*machine.CHECKS, *features.NAMES]
    assert (found["course"], status) == (True, 0)
    assert {name for name, each in found["checks"].items() if each["needed"]} == set(doctor.NEEDED)
    assert found["process"]["capabilities"] == list(machine.privileges.ALL)
    for each in found["checks"].values():
        assert each["answer"] == "yes" or each["reason"], each


def test_a_user_with_the_units_capabilities_is_as_well_off_as_root(home: Path) -> None:
    def answers(found: dict[str, Any]) -> dict[str, str]:
        # Whether a user may open /dev/loop-control is a matter of groups.
        return {name: each["answer"] for name, each in found["checks"].items() if name != "loop"}

    assert set(GRANTED) == set(machine.privileges.ALL)
    assert answers(report(home, *user_with(GRANTED))[0]) == answers(report(home)[0])


def test_bare_machine(home: Path) -> None:
    """Nothing installed, no room, no rights, as in a container with nothing but Python."""
    packages = "/usr/lib/python3/dist-packages"
    front_ends = " ".join(
        f"mount -t tmpfs tmpfs {path};"
        for name in ("jupyterlab", "notebook")
        for path in Path(sys.prefix).glob(f"lib/python*/site-packages/{name}-*.dist-info")
    )
    commands = (
        f"mount -t tmpfs tmpfs {packages}; mount -t tmpfs tmpfs /lib/modules; {front_ends}"
        f" umount -l /sys/kernel/tracing; umount -l /sys/kernel/debug 2>/dev/null || :;"
        f" mount -t tmpfs -o size=8m,mode=777 tmpfs {home}"
    )
    found, status = report(home, *in_mounts(commands), *user_with(()), "env", "PATH=/nowhere")
    assert (found["course"], status) == (False, 1)
    remedies = {
        "headers_fit": f"sudo apt install linux-headers-{os.uname().release}",
        "bcc_fits": "sudo apt install python3-bpfcc",
        "capabilities": "./lab start and ./lab shell give them to what they run",
        "disk": "make room (sudo apt clean, for one), or set XDG_CACHE_HOME to another disk's directory",
        "jupyter": "./lab start, or: pip install jupyterlab",
        "tracefs": "sudo mount -t tracefs tracefs /sys/kernel/tracing",
        "bcc": "sudo apt install python3-bpfcc",
        "clang": "sudo apt install clang",
    }
    for name, remedy in remedies.items():
        check = found["checks"][name]
        assert (check["answer"], check["remedy"]) == ("no", remedy), check
    assert found["checks"]["bpf"]["answer"] == "unknown"
    assert "CAP_BPF" in found["checks"]["capabilities"]["reason"]
    assert found["verdict"].startswith("The course cannot run here: it lacks bpf, ")


@pytest.fixture
def restricted() -> Iterator[None]:
    """kernel.kptr_restrict is 2."""
    path = Path("/proc/sys/kernel/kptr_restrict")
    before = path.read_text()
    path.write_text("2")
    yield
    path.write_text(before)


@pytest.mark.usefixtures("restricted")
def test_sysctl_that_hides_addresses(home: Path) -> None:
    check = report(home)[0]["checks"]["sysctls"]
    assert (check["answer"], check["remedy"]) == ("no", "sudo sysctl kernel.kptr_restrict=1")


def test_kernel_that_is_too_old(home: Path) -> None:
    found, status = report(home, "setarch", "--uname-2.6")
    assert status == 1
    assert "is older than 5.8" in found["checks"]["kernel"]["reason"]
    assert "it lacks kernel" in found["verdict"]

"""``./lab`` on a Mac: the commands that it gives, to programs that stand for the Mac's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support.machine import ROOT, lab_verbs

URL = "http://127.0.0.1:18888/lab?token=abc"
TEMPLATE = ROOT / "lima/ebpf-lab.yaml"
STATUS = "limactl|list|--format|{{.Status}}|ebpf-lab|"
DIRECTORY = "limactl|list|--format|{{.Dir}}|ebpf-lab|"
RESTART = "limactl|shell|--workdir|/|ebpf-lab|test|-e|/run/ebpf-lab/restart|"
SERVICE = "limactl|shell|--workdir|/|ebpf-lab|sudo|systemctl|start|ebpf-lab.service|"
BOOT = "limactl|start|--tty=false|--timeout|40m|ebpf-lab|"
MAKE = f'limactl|start|--tty=false|--timeout|40m|--name|ebpf-lab|--set|.param.Project = "{ROOT}"|{TEMPLATE}|'


class Mac:
    """A PATH on which ``uname`` says Darwin, and a machine that remembers whether it was made and runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.programs = directory / "bin"
        self.programs.mkdir()
        self.program("uname", "case $1 in -m) echo arm64 ;; -r) echo 24.6.0 ;; *) echo Darwin ;; esac")
        self.program("open", 'printf "open|%s|\\n" "$1" >>"$STUB/calls"')
        (self.programs / "limactl").symlink_to(ROOT / "tests/lab/stub_limactl.sh")

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.programs / name).chmod(0o755)

    def lab(self, *arguments: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
        (self.directory / "calls").write_text("")
        return subprocess.run(
            [ROOT / "lab", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env={
                "PATH": f"{self.programs}:{os.environ['PATH']}",
                "HOME": str(self.directory),
                "STUB": str(self.directory),
                **variables,
            },
        )

    @property
    def calls(self) -> list[str]:
        return (self.directory / "calls").read_text().splitlines()


@pytest.fixture
def mac(tmp_path: Path) -> Mac:
    return Mac(tmp_path)


def test_first_start_makes_the_machine_and_opens_the_browser(mac: Mac) -> None:
    done = mac.lab("start")
    assert (done.returncode, done.stdout) == (0, f"{URL}\n"), done.stderr
    validate = f"limactl|validate|{TEMPLATE}|"
    assert mac.calls == [STATUS, validate, MAKE, RESTART, SERVICE, DIRECTORY, f"open|{URL}|"]


def test_later_starts_take_up_the_machine(mac: Mac) -> None:
    mac.lab("start")
    done = mac.lab("start", "--no-browser")
    assert (done.returncode, done.stdout) == (0, f"{URL}\n")
    assert done.stderr == "lab: open this address in a browser; ./lab stop ends it\n"
    assert mac.calls == [STATUS, DIRECTORY, RESTART, SERVICE, DIRECTORY]
    assert mac.lab("stop").returncode == 0
    assert mac.calls == [STATUS, "limactl|stop|ebpf-lab|"]
    assert "not running" in mac.lab("stop").stderr
    mac.lab("start", "--no-browser")
    assert mac.calls == [STATUS, DIRECTORY, BOOT, RESTART, SERVICE, DIRECTORY]


def test_a_new_kernel_is_booted_once(mac: Mac) -> None:
    (mac.directory / "restart").touch()
    assert mac.lab("start", "--no-browser").returncode == 0
    assert mac.calls[2:] == [MAKE, RESTART, "limactl|stop|ebpf-lab|", BOOT, SERVICE, DIRECTORY]


OTHERS = {"start", "stop", "setup", "help", "shell"}
VERBS = [verb for verb in lab_verbs() if verb not in OTHERS]


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_work_in_the_machine(mac: Mac, verb: str) -> None:
    done = mac.lab(verb, "two words", "--", "'$x'")
    assert done.returncode == 0, done.stderr
    assert mac.calls[-1] == (
        f"limactl|shell|--workdir|/srv/ebpf-lab|ebpf-lab|/srv/ebpf-lab/lab|{verb}|two words|--|'$x'|"
    )


def test_shell_is_where_we_are(mac: Mac) -> None:
    mac.lab("shell", cwd=ROOT / "notebooks")
    assert mac.calls[-1].startswith("limactl|shell|--workdir|/srv/ebpf-lab/notebooks|ebpf-lab|")
    mac.lab("shell", cwd=mac.directory)
    assert mac.calls[-1] == "limactl|shell|--workdir|/srv/ebpf-lab|ebpf-lab|/srv/ebpf-lab/lab|shell|"


def test_status_of_a_command_comes_back(mac: Mac) -> None:
    assert mac.lab("test", "pytest-fails").returncode == 7


def test_without_lima_one_line_installs_it(mac: Mac) -> None:
    (mac.programs / "limactl").unlink()
    done = mac.lab("start")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].strip() == "brew install lima"


def test_a_machine_that_does_not_come_up_is_said(mac: Mac) -> None:
    (mac.directory / "broken").touch()
    done = mac.lab("start")
    assert done.returncode == 1
    assert "the virtual machine did not come up" in done.stderr
    assert "open|" not in "".join(mac.calls)


def test_a_machine_of_another_copy_is_left_alone(mac: Mac) -> None:
    mac.lab("start", "--no-browser")
    (mac.directory / "machine/lima.yaml").write_text('param:\n  Project: "/Users/ada/other"\n')
    done = mac.lab("start")
    assert done.returncode == 1
    assert "shows another directory: /Users/ada/other" in done.stderr
    assert mac.calls == [STATUS, DIRECTORY]
    mac.lab("stop")
    other = mac.lab("start", "--no-browser", EBPF_LAB_INSTANCE="second")
    assert "limactl|list|--format|{{.Status}}|second|" in mac.calls, other.stderr


def test_wrong_usage_and_help_start_nothing(mac: Mac) -> None:
    assert "./lab" in mac.lab("help").stdout
    assert "no option --nobrowser" in mac.lab("start", "--nobrowser").stderr
    assert "there is no verb tset" in mac.lab("tset").stderr
    assert mac.calls == []

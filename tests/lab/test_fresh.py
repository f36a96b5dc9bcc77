"""``./lab`` on a Debian with nothing installed, by an ordinary user with sudo; and ``pip install`` alone.

Each root file system is made here, and entered by chroot, so that the kernel is this machine's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import ROOT
from support.rights import GRANTED

from ebpf_lab.vm.packages import mirror

PROJECT = "/home/learner/ebpf-lab"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# What ties this machine to its network; pip's own settings go along as the file that pip reads.
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")
ENTER = """
for place in proc sys dev; do mount --rbind /$place "$1/$place"; done
ip link set lo up
root=$1
shift
exec chroot "$root" "$@"
"""


class Fresh:
    """A root file system with the project in the home of its user ``learner``: as it is, or out of a bundle.

    With a bundle, there is no network.
    """

    def __init__(self, suite: str, directory: Path, bundle: Path | None = None) -> None:
        self.suite = suite
        self.root = directory / suite
        self.apart = ["--mount"]
        packages = "--include=sudo,ca-certificates,passwd,util-linux,mount"
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=apt", packages, suite, self.root, mirror()], check=True
        )
        for path in NETWORK:
            if Path(path).exists():
                shutil.copy(path, f"{self.root}{path}")
        settings = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
        ).stdout
        lines = [
            f"{name.partition('.')[2]} = {value.strip()[1:-1]}"
            for name, _, value in (line.partition("=") for line in settings.splitlines())
        ]
        (self.root / "etc/pip.conf").write_text("\n".join(["[global]", *dict.fromkeys(lines), ""]))
        self.run("useradd", "--create-home", "--shell", "/bin/sh", "learner")
        (self.root / "etc/sudoers.d/learner").write_text("learner ALL=(ALL) NOPASSWD: ALL\n")
        if bundle is not None:
            self.apart.append("--net")
            shutil.copy(bundle, f"{self.root}/tmp/bundle.tar")
            done = self.run("su", "-", "learner", "-c", "tar -xf /tmp/bundle.tar")
            assert done.returncode == 0, done.stderr
            return
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, files.split("\0")):
            if (ROOT / name).exists():
                place = Path(f"{self.root}{PROJECT}") / name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, place)
        self.run("chown", "-R", "learner:", PROJECT)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["unshare", *self.apart, "sh", "-e", "-c", ENTER, "sh", str(self.root), *command],
            env={"PATH": PATH, "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )

    def lab(self, words: str) -> subprocess.CompletedProcess[str]:
        """Run ``./lab`` as the user."""
        return self.run("su", "-", "learner", "-c", f"cd {PROJECT} && ./lab {words}")


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fresh]:
    made = Fresh(request.param, tmp_path_factory.mktemp("fresh"))
    yield made
    made.lab("stop")
    shutil.rmtree(made.root, ignore_errors=True)


def servers(root: Path) -> list[Path]:
    """Processes of JupyterLab within a root file system."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside = os.readlink(process / "root") == str(root)
            if inside and b"jupyter-lab" in (process / "cmdline").read_bytes():
                found.append(process)
        except OSError:
            continue
    return found


def status(process: Path) -> dict[str, str]:
    lines = (process / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_start_reaches_jupyter_as_the_user_with_the_capabilities(fresh: Fresh) -> None:
    done = fresh.lab("start --no-browser")
    assert done.returncode == 0, done.stderr
    (address,) = done.stdout.splitlines()
    base, _, token = address.partition("lab?token=")
    ask = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    assert '"version"' in fresh.run("python3", "-c", ask, f"{base}api").stdout
    assert '"kernels": 0' in fresh.run("python3", "-c", ask, f"{base}api/status?token={token}").stdout
    # Its parent is sudo, whose effective user is root.
    found = [status(process) for process in servers(fresh.root)]
    running = [each for each in found if each["Uid"].split()[1] == "1000"]
    assert len(running) == 1
    assert int(running[0]["CapEff"], 16).bit_count() == len(GRANTED)


def test_demo_prints_a_frame(fresh: Fresh) -> None:
    done = fresh.lab("demo")
    assert done.returncode == 0, done.stderr
    assert "/etc/hostname" in done.stdout
    assert " 1000  learner " in done.stdout
    assert "0 lost" in done.stdout + done.stderr


def test_the_second_time_nothing_is_installed_and_stop_leaves_nothing(fresh: Fresh) -> None:
    assert fresh.lab("start --no-browser").stderr == "lab: JupyterLab is running\n"
    assert fresh.lab("stop").returncode == 0
    assert servers(fresh.root) == []


def test_root_gives_the_server_to_a_user(fresh: Fresh) -> None:
    done = fresh.run("sh", "-c", f"cd {PROJECT} && ./lab start --no-browser --user learner")
    assert done.returncode == 0, done.stderr
    running = [status(process) for process in servers(fresh.root)]
    assert {each["Uid"].split()[0] for each in running} == {"1000"}
    assert int(running[0]["CapEff"], 16).bit_count() == len(GRANTED)
    # It is the user's own, to be ended without root.
    assert fresh.lab("stop").returncode == 0
    assert servers(fresh.root) == []


def test_doctor_says_that_the_course_can_run(fresh: Fresh) -> None:
    done = fresh.lab("doctor")
    assert done.returncode == 0, done.stdout
    assert "The course can run here" in done.stdout


def test_a_bundle_is_all_that_a_machine_without_a_network_needs(fresh: Fresh, tmp_path: Path) -> None:
    packed = fresh.lab("bundle --output ../bundle.tar")
    assert packed.returncode == 0, packed.stderr
    assert packed.stdout == "/home/learner/bundle.tar\n"
    assert list(Path(f"{fresh.root}/home/learner").glob(".bundle*")) == []

    offline = Fresh(fresh.suite, tmp_path, Path(f"{fresh.root}/home/learner/bundle.tar"))
    try:
        devices = offline.run("cat", "/proc/net/dev").stdout
        assert re.findall(r"^ *(\S+):", devices, re.MULTILINE) == ["lo"]
        done = offline.lab("demo")
        assert done.returncode == 0, done.stderr
        assert "/etc/hostname" in done.stdout
        headers = f"/lib/modules/{os.uname().release}/build/include"
        assert offline.run("test", "-e", headers).returncode == 0
        # Each command has a network of its own, with its own 127.0.0.1.
        ask = (
            'from urllib.request import urlopen; print(urlopen(input().partition("lab?")[0] + "api").read())'
        )
        begin = f"cd {PROJECT} && address=$(./lab start --no-browser)"
        done = offline.run(
            "su", "-", "learner", "-c", f"{begin} && echo $address | python3 -c '{ask}'; ./lab stop"
        )
        assert '"version"' in done.stdout, done.stderr
        assert servers(offline.root) == []
        # The second time, nothing is looked for in the bundle.
        shutil.rmtree(f"{offline.root}{PROJECT}/bundle/wheels")
        assert offline.lab("setup").stderr == ""
    finally:
        shutil.rmtree(offline.root, ignore_errors=True)


def test_pip_install_works_anywhere_and_says_what_the_system_must_add(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", ROOT], check=True)
    hidden = "mount -t tmpfs tmpfs /usr/lib/python3/dist-packages"
    # By their full paths: nothing is on PATH in there.
    wrapper = [shutil.which("unshare"), "--mount", shutil.which("sh"), "-e", "-c"]
    wrapper += [f'PATH={PATH} {hidden}; exec "$@"', "sh"]
    here = {"PATH": "/nowhere", "HOME": str(tmp_path)}

    def inside(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*wrapper, *command], cwd="/", env=here, capture_output=True, text=True, check=False
        )

    assert inside(python, "-c", "import ebpf_lab; print(ebpf_lab.__name__)").stdout == "ebpf_lab\n"
    assert "\nexec_ring (" in inside(python, "-m", "ebpf_lab.cli", "snippets").stdout
    said = inside(python, "-m", "ebpf_lab.cli", "doctor")
    assert said.returncode == 1
    for remedy in ("sudo apt install python3-bpfcc", "sudo apt install clang", "pip install jupyterlab"):
        assert remedy in said.stdout

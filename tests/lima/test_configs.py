"""The configurations for Lima, read more strictly than Lima does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from support.lima_schema import problems
from support.machine import ROOT

CONFIGS = sorted((ROOT / "lima").glob("*.yaml"))
DEBIAN = (ROOT / "lima/ebpf-lab.yaml").read_text()


def test_both_are_there() -> None:
    assert [path.name for path in CONFIGS] == ["ebpf-lab.yaml", "ubuntu-24.04.yaml"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_is_right(path: Path) -> None:
    assert problems(path.read_text()) == []


# A deliberate mistake: what is replaced in lima/ebpf-lab.yaml (the first time it stands there), by what, and
# what must be said of it.
MISTAKES = {
    "a key that Lima does not know": (
        "memory:",
        "memroy:",
        "memroy: Lima knows no such key",
    ),
    "a key of an inner level that Lima does not know": (
        "  writable: true",
        "  writeable: true",
        "mounts.0.writeable: Lima knows no such key",
    ),
    "a key twice": (
        "cpus: 2",
        "cpus: 2\ncpus: 4",
        "cpus stands twice",
    ),
    "a number as text": (
        "cpus: 2",
        'cpus: "2"',
        "cpus: '2' is of the wrong type",
    ),
    "a size without its unit": (
        '"3GiB"',
        '"3"',
        "memory: '3' is no size such as 3GiB",
    ),
    "no image for an architecture": (
        'arch: "aarch64"',
        'arch: "riscv64"',
        "images: the last for riscv64|images: none for aarch64",
    ),
    "a digest that was cut off": (
        re.search(r"sha512:[0-9a-f]+", DEBIAN)[0],  # type: ignore[index]
        "sha512:7ae53e9dbee2",
        "images: sha512:7ae53e9dbee2 is no digest",
    ),
    "an image of a certain day as the last": (
        "trixie/latest",
        "trixie/20260712-2537",
        "the last for x86_64 is of a certain day",
    ),
    "a relative mount": (
        '"{{.Param.Project}}"',
        '"."',
        "mounts: '.' is no absolute path",
    ),
    "a parameter that is not declared": (
        '"{{.Param.Project}}"',
        '"{{.Param.Projct}}"',
        "mounts.0.location: Param.Projct is not declared under param",
    ),
    "a probe without a hint": (
        re.search(r"  hint: \|\n(?:    .*\n)+", DEBIAN)[0],  # type: ignore[index]
        "",
        "probes: one has no hint or no description",
    ),
    "JupyterLab open to the network": (
        'hostIP: "127.0.0.1"',
        'hostIP: "0.0.0.0"',
        "portForwards: open to others than this host",
    ),
    "containerd switched on": (
        "  user: false",
        "  user: true",
        "containerd: not switched off",
    ),
    "a probe that is no script": (
        "#!/bin/sh\n    timeout",
        "timeout",
        "probes: the script does not begin with #!",
    ),
    "a mount type for one kind of host": (
        "mountTypesUnsupported:",
        'mountType: "9p"\nmountTypesUnsupported:',
        "mountType: fits one kind of host only",
    ),
}


@pytest.mark.parametrize(("what", "becomes", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_caught(what: str, becomes: str, said: str) -> None:
    assert what in DEBIAN
    # All places that are alike, where only all of them together are the mistake.
    every = what == 'arch: "aarch64"'
    found = problems(DEBIAN.replace(what, becomes, -1 if every else 1))
    assert any(part in line for line in found for part in said.split("|")), found


def scripts() -> list[tuple[str, str]]:
    """The scripts within the configurations, with a word in place of each template."""
    found = []
    for path in CONFIGS:
        config = yaml.safe_load(path.read_text())
        for kind in ("provision", "probes"):
            for number, step in enumerate(config[kind]):
                text = re.sub(r"{{[^}]*}}", "word", step["script"])
                found.append((f"{path.name}:{kind}{number}", text))
    return found


@pytest.mark.parametrize(("name", "text"), scripts(), ids=[name for name, _ in scripts()])
def test_embedded_script_is_clean(name: str, text: str) -> None:
    done = subprocess.run(
        ["shellcheck", "--shell=sh", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_two_differ_in_their_images_alone() -> None:
    both = [yaml.safe_load(path.read_text()) for path in CONFIGS]
    for config in both:
        del config["images"]
        config.pop("mountTypesUnsupported", None)
    assert both[0] == both[1]


def test_port_and_paths_are_those_of_the_provisioning() -> None:
    provision = (ROOT / "lima/provision.sh").read_text()
    port = re.search(r"LAB_PORT:=(\d+)", provision)
    state = re.search(r"LAB_STATE:=([\w/-]+)", provision)
    assert port
    assert state
    assert f"guestPort: {port[1]}" in DEBIAN
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", DEBIAN)) == {port[1]}
    assert f'guest: "{state[1]}/url"' in DEBIAN
    assert set(re.findall(r"/var/lib/[\w-]+", DEBIAN)) == {state[1]}
    # Lima runs what is inlined as a template; this is run from the mount, and must work without Lima.
    assert "{{" not in provision

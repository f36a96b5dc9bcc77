"""``./lab bundle`` and what a bundle must be like; tests/lab/test_fresh.py makes one and lives from it."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.machine import ROOT

WHEEL = "wheels/any-1.0-py3-none-any.whl"


def lab(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([project / "lab", *arguments], capture_output=True, text=True, check=False, cwd="/")


def seal(bundle: Path) -> None:
    files = [path for path in bundle.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(bundle)}\n" for path in files
    ]
    (bundle / "SHA256SUMS").write_text("".join(lines))


def system() -> str:
    release = platform.freedesktop_os_release()
    return f"{release['ID']} {release['VERSION_ID']} {platform.machine()}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What ./lab reads before it installs, without an environment and with a bundle."""
    made = tmp_path / "ebpf-lab"
    for name in (
        "lab",
        "lima/ebpf-lab.service",
        "pyproject.toml",
        "ebpf_lab/labextension/package.json",
        "ebpf_lab/notebook/jupyter_config.json",
        "tests/constraints.txt",
        "scripts/setup.sh",
    ):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, made / name)
    for name, content in (("debs/Packages", ""), ("made-for", f"{system()}\n"), (WHEEL, "a wheel")):
        (made / "bundle" / name).parent.mkdir(parents=True, exist_ok=True)
        (made / "bundle" / name).write_text(content)
    seal(made / "bundle")
    return made


def test_wrong_usage_is_said(tmp_path: Path) -> None:
    for arguments, error in (
        (["--colour"], "bundle has no option --colour"),
        (["--output"], "--output which file?"),
        (["--output", f"{tmp_path}/none/lab.tar"], f"nothing can be written to {tmp_path}/none"),
        (["--output", f"{tmp_path}"], f"{tmp_path} is a directory"),
    ):
        done = lab(ROOT, "bundle", *arguments)
        assert done.returncode == 1
        assert done.stderr.splitlines()[0] == f"lab: error: {error}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        pytest.param(lambda bundle: (bundle / WHEEL).write_text("a wheeL"), f"./{WHEEL}", id="changed"),
        pytest.param(lambda bundle: (bundle / WHEEL).unlink(), f"./{WHEEL}", id="missing"),
        pytest.param(lambda bundle: (bundle / "wheels/b.whl").touch(), "SHA256SUMS", id="added"),
        pytest.param(lambda bundle: (bundle / "SHA256SUMS").write_text(""), "SHA256SUMS", id="empty"),
        pytest.param(lambda bundle: (bundle / "SHA256SUMS").unlink(), "SHA256SUMS", id="no sums"),
        pytest.param(
            lambda bundle: (bundle / "SHA256SUMS").write_text("sum\n" * 3), "SHA256SUMS", id="not sums"
        ),
    ],
)
def test_nothing_is_installed_from_a_damaged_bundle(
    project: Path, damage: Callable[[Path], object], named: str
) -> None:
    damage(project / "bundle")
    done = lab(project, "setup")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    assert errors == [f"lab: error: the bundle is not as it was packed: {named}"]
    assert done.stderr.endswith("unpack it into an empty directory\n")
    assert not (project / ".venv").exists()


def test_a_bundle_for_another_system_is_refused(project: Path) -> None:
    (project / "bundle/made-for").write_text("debian 11 sparc64\n")
    seal(project / "bundle")
    done = lab(project, "setup")
    assert done.returncode == 1
    assert f"the bundle is for debian 11 sparc64, and this is {system()}" in done.stderr
    assert not (project / ".venv").exists()

"""``./lab start`` where nothing can trace: an ordinary user, no sudo, no apt, no QEMU, no compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import ROOT
from support.rights import home_for_anybody, user_with

# What every Linux has, and nothing else.
TOOLS = """
    sh cat chmod chown cut date dirname env flock getent grep head id kill ln ls mkdir mktemp mv ps rm rmdir
    sed setpriv setsid sha256sum sleep sort stat tail test touch tr true uname wc
"""

_PYTHON = """\
#!/bin/sh
# An environment in which everything is installed already.
case "$*" in "-m pip"*) exit 0 ;; esac
exec {python} "$@"
"""
_LAB = """\
#!/bin/sh
PYTHONPATH={root} PYTHONDONTWRITEBYTECODE=1 exec {python} -m ebpf_lab.cli "$@"
"""
_JUPYTER = """\
#!/bin/sh
# A server as ./lab knows it: by the file that it writes when it listens.
printf '{\\n "url": "http://127.0.0.1:18888/",\\n "token": "abc",\\n "pid": "%s"\\n}\\n' $$ \\
    >"$JUPYTER_RUNTIME_DIR/jpserver-$$.json"
trap 'kill $!; rm "$JUPYTER_RUNTIME_DIR"/jpserver-*.json; exit' TERM
sleep 60 &
wait
"""


@pytest.fixture
def project() -> Iterator[Path]:
    """The project as it was unpacked, with an environment made of stand-ins."""
    with home_for_anybody() as home:
        project = home / "project"
        for name in ("lab", "pyproject.toml", "lima/ebpf-lab.service"):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)
        shutil.copytree(ROOT / "scripts", project / "scripts")
        for name in ("tests/constraints.txt", "ebpf_lab/labextension/package.json"):
            (project / name).parent.mkdir(parents=True)
            (project / name).touch()
        (project / "ebpf_lab/notebook").mkdir()
        (project / "ebpf_lab/notebook/jupyter_config.json").touch()
        (project / "notebooks").mkdir()
        programs = project / ".venv/bin"
        programs.mkdir(parents=True)
        for name, text in (("python", _PYTHON), ("ebpf-lab", _LAB), ("jupyter-lab", _JUPYTER)):
            made = text.replace("{python}", sys.executable).replace("{root}", str(ROOT))
            (programs / name).write_text(made)
            (programs / name).chmod(0o755)
        tools = home / "tools"
        tools.mkdir()
        for name in TOOLS.split():
            found = shutil.which(name)
            assert found, name
            (tools / name).symlink_to(found)
        subprocess.run(["chown", "-R", "nobody", home], check=True)
        yield project


def lab(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*user_with(()), project / "lab", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": str(project.parent / "tools"), "HOME": str(project.parent), "LC_ALL": "C.UTF-8"},
    )


def test_start_opens_the_course_in_replay_and_says_why(project: Path) -> None:
    done = lab(project, "start", "--no-browser")
    try:
        assert (done.returncode, done.stdout) == (0, "http://127.0.0.1:18888/lab?token=abc\n"), done.stderr
        said = done.stderr.splitlines()
        assert said[0].startswith("lab: programs cannot run here: only root could install what they need")
        (chosen,) = [line for line in said if line.startswith("lab: notebooks run in")]
        assert chosen.startswith("lab: notebooks run in ebpf-lab-replay: this machine's kernel lacks ")
        assert ", and there can be no virtual machine (" in chosen
        assert chosen.endswith("): lessons show what was recorded elsewhere")
        assert "some lessons will not run here" not in done.stderr
        kernel = project / ".venv/var/lab/share/jupyter/kernels/python3/kernel.json"
        specification = json.loads(kernel.read_text())
        assert specification["display_name"] == "eBPF Lab (replay)"
        assert specification["env"] == {"EBPF_LAB_REPLAY": str(project / "notebooks/recordings")}
    finally:
        assert lab(project, "stop").returncode == 0
    assert "not running" in lab(project, "stop").stderr
    assert os.listdir(project / "notebooks") == []

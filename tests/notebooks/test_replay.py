"""Every lesson as its recordings show it, on each architecture's, to a user who can trace nothing.

Nothing that traces is there: no rights, no compiler on the PATH, and no module of bcc, nor of the lab's own,
that loads, attaches or reads.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.globs import files
from support.lesson_code import digest
from support.machine import ROOT
from support.rights import home_for_anybody, user_with

from ebpf_lab import session
from ebpf_lab.lessons import catalogue, recorder
from ebpf_lab.recordings.course import RECORDINGS
from ebpf_lab.recordings.files import load
from ebpf_lab.source.options import parse_cell

COURSE = catalogue.notebooks()
RECORDED = files(COURSE / RECORDINGS, "[0-9][0-9]_*/*")
"""A directory for each lesson and architecture."""
CLAIMS = Path(__file__).parent / "claims"
"""What must hold once a lesson has run; recordings are from kernels that have all kinds of probes."""

_WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "bcc" or name in ABSENT:
            raise ImportError(f"{name} is not here")

ABSENT = {"ebpf_lab.running", "ebpf_lab.attach", "ebpf_lab.backends.bcc", "ebpf_lab.backends.libbpf",
          "ebpf_lab.readers.perf", "ebpf_lab.readers.ringbuf"}
sys.meta_path.insert(0, Absent())
"""


def cells_of(path: Path, recordings: Path, *code: str) -> list[dict[str, Any]]:
    """What came of the lesson's cells."""
    with home_for_anybody() as home:
        (home / "sitecustomize.py").write_text(_WITHOUT)
        (home / "bin").mkdir()
        for name in ("sh", "grep"):
            (home / "bin" / name).symlink_to(str(shutil.which(name)))
        setpriv, *rights = user_with(())
        done = subprocess.run(
            [
                str(shutil.which(setpriv)),
                *rights,
                sys.executable,
                ROOT / "tests/support/replay_lesson.py",
                path,
                *code,
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=home,
            env={
                "HOME": str(home),
                "PATH": str(home / "bin"),
                "LC_ALL": "C.UTF-8",
                "PYTHONPATH": f"{home}:{ROOT}",
                "PYTHONDONTWRITEBYTECODE": "1",
                "EBPF_LAB_REPLAY": str(recordings),
            },
        )
        assert done.returncode == 0, done.stderr
        cells: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return cells


def told(cell: dict[str, Any]) -> str:
    return f"{cell['source']}\n\n{cell['errors']}\n{cell['text']}"


@pytest.mark.parametrize("recordings", RECORDED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_lesson_is_replayed(recordings: Path, request: pytest.FixtureRequest) -> None:
    made = load(files(recordings, "*.zip")[0]).made
    on = f"Linux {made.kernel}, {made.machine}, {made.when.partition(' ')[0]}"
    lesson, machine = recordings.parent.name, recordings.name
    request.node.user_properties.extend([("kernel", on), ("code", digest(lesson))])
    claims = (CLAIMS / f"{lesson}.py").read_text()
    cells = cells_of(
        COURSE / f"{lesson}.ipynb", recordings, "has = lambda *names: True\nlive = False\n" + claims
    )
    traced = [cell for cell in cells if cell["source"].startswith("%%bpf")]
    assert traced
    for cell in cells:
        expected = [tag.removeprefix("error:") for tag in cell["tags"] if tag.startswith("error:")]
        assert cell["errors"] == expected, told(cell)
    for cell in traced:
        assert "REPLAYED from Linux " in cell["text"], told(cell)
        assert f" {machine}, 20" in cell["text"], told(cell)
    (begun,) = [cell for cell in cells if "%lab lesson" in cell["source"]]
    assert "exercises\nNothing runs in a kernel here" in begun["text"]
    assert "lacks" not in begun["text"]
    checks = [cell for cell in cells if any(tag.startswith("check:") for tag in cell["tags"])]
    assert all("inconclusive" in cell["text"] for cell in checks)


@pytest.mark.parametrize("recordings", RECORDED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_cell_is_recorded_as_it_is_now(recordings: Path) -> None:
    """A lesson that was changed has to be recorded again: ``ebpf-lab lessons --record``."""
    notebook = json.loads((COURSE / f"{recordings.parent.name}.ipynb").read_text())
    for cell in notebook["cells"]:
        line, _, text = "".join(cell["source"]).partition("\n")
        if cell["cell_type"] == "code" and line.startswith("%%bpf"):
            options = parse_cell(line.removeprefix("%%bpf"))
            session.prepare(
                text,
                events=options.events,
                command=options.command,
                attach=options.attach,
                set=options.settings,
                only=options.only,
                backend=options.backend,
                event=options.stream_types,
                replay=recordings,
            )


@pytest.mark.parametrize("lesson", files(COURSE, "[0-9][0-9]_*.ipynb"), ids=lambda path: path.stem)
def test_each_lesson_is_recorded_on_each_architecture(lesson: Path) -> None:
    made = {each.name for each in files(COURSE / RECORDINGS, f"{lesson.stem}/*")}
    assert made == {"aarch64", "x86_64"}


@pytest.mark.parametrize("path", files(COURSE / RECORDINGS, "*/*/*.zip"), ids=lambda path: path.name)
def test_recordings_are_small_and_whole(path: Path) -> None:
    assert path.stat().st_size <= recorder.MOST
    made = load(path)
    assert made.made.machine == path.parent.name
    assert made.key.startswith(path.stem.rpartition("-")[2])
    # A person's name or directory would be everybody's to read.
    assert made.outcome is None or set(made.outcome.names.users.values()) <= {"root"}

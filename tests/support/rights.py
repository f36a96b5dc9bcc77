"""Processes of an ordinary user with chosen capabilities."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.machine import ROOT

NOBODY = "65534"

UNIT = (ROOT / "lima/ebpf-lab.service").read_text()
GRANTED = tuple(re.findall(r"^AmbientCapabilities=(\w+)$", UNIT, re.MULTILINE))
"""What the lab's processes have, in Lima and by ``./lab``."""


def user_with(capabilities: Iterable[str]) -> list[str]:
    """A wrapper for a command: an ordinary user with these capabilities, and no others."""
    words = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in capabilities) or "-all"
    return [
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *(f"--inh-caps={words}", f"--ambient-caps={words}"),
    ]


@contextmanager
def home_for_anybody() -> Iterator[Path]:
    """A directory that an ordinary user may write to; pytest's own are closed to all but root."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def attempts(home: Path, capabilities: Iterable[str], kinds: Sequence[str] = ()) -> dict[str, str]:
    """What came of each kind of ``support.attempts``, for such a user whose home is ``home``."""
    done = subprocess.run(
        [*user_with(capabilities), sys.executable, ROOT / "tests/support/attempts.py", *kinds],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={
            **os.environ,
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found

"""Processes of an ordinary user with chosen capabilities."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
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

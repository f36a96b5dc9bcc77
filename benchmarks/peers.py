"""bpftrace at work."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator


class CannotRun(Exception):
    """bpftrace is missing, or refused a program."""


@contextlib.contextmanager
def bpftrace(program: str) -> Iterator[None]:
    """Have bpftrace run a program while the body runs.

    It says how many probes it attaches before it does; that its timer prints something says that it has.

    Raises
    ------
    CannotRun
    """
    command = ["bpftrace", "-f", "json", "-e", f'{program} interval:ms:20 {{ printf("on\\n"); }}']
    if shutil.which("bpftrace") is None:
        raise CannotRun("bpftrace is not installed")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            if not process.stdout.readline():
                raise CannotRun(f"bpftrace does not run {program}")
            yield
        finally:
            process.kill()

"""bpftrace at work."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator


@contextlib.contextmanager
def bpftrace(program: str) -> Iterator[None]:
    """Have bpftrace run a program while the body runs.

    It says how many probes it attaches before it does; that its timer prints something says that it has.
    """
    command = ["bpftrace", "-f", "json", "-e", f'{program} interval:ms:20 {{ printf("on\\n"); }}']
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()

"""One process at a time where several would make the same files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ebpf_lab.vm.packages import Progress


@contextmanager
def alone(path: Path, progress: Progress, what: str) -> Iterator[None]:
    """Hold a lock.

    Parameters
    ----------
    path : Path
        The lock's file, which stays.
    progress : callable
        Told once if there is somebody to wait for.
    what : str
        What another process would be doing meanwhile.
    """
    # Here: the command line, which names the machines, is also there where none can be.
    import fcntl

    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting: another process is {what} ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield

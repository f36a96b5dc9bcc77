"""Run the command that a trace watches.

The command is started in a session of its own, so that the terminal's Ctrl-C reaches the lab alone, which
then ends the whole group.  Its end is the end of the process that was started: a daemon it leaves behind
neither keeps the trace open nor is killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence

from ebpf_lab.errors import CommandFailed

_GRACE = 0.2
"""Seconds between SIGTERM and SIGKILL: short enough that Stop feels immediate."""


def find(argv: Sequence[str]) -> str:
    """Return the path of the command's program.

    Raises
    ------
    CommandFailed
        There is no such program, or it may not be executed.
    """
    if not argv or not argv[0]:
        raise CommandFailed("no command given", hint="write it behind --, as in: -- cat /etc/hostname")
    found = shutil.which(argv[0])
    if found:
        return found
    if os.path.exists(argv[0]):
        raise CommandFailed(f"{argv[0]}: not a program that can be executed", hint=f"chmod +x {argv[0]}")
    raise CommandFailed(
        f"{argv[0]}: command not found",
        why="nothing was attached: the command is looked up first",
        hint="a shell's built-in or a pipeline runs as: -- sh -c '…'",
    )


class Command:
    """One run of a command.

    Parameters
    ----------
    argv : sequence of str
        Program and arguments; no shell is involved.
    output : callable or None
        Receives the command's standard output and error as bytes, from a background thread; None lets the
        command write to the lab's own.
    interactive : bool
        Let the command read the lab's standard input, in place of nothing.
    all_to_stderr : bool
        Without ``output``, let the command write to the lab's standard error alone.
    """

    def __init__(
        self,
        argv: Sequence[str],
        output: Callable[[bytes], None] | None = None,
        *,
        interactive: bool = False,
        all_to_stderr: bool = False,
    ) -> None:
        # Looked up here, or each folder of PATH would cost a failing execve() that a trace then shows.
        self._program = find(argv)
        self.argv = tuple(argv)
        self._output = output
        self._interactive = interactive
        self._stdout = 2 if all_to_stderr else None
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._ended = threading.Event()

    def descriptors(self) -> dict[int, str]:
        """What its first three descriptors name, as /proc shows it."""
        names = {0: os.devnull, 1: "pipe", 2: "pipe"}
        own = {0: 0} if self._interactive else {}
        own |= {1: self._stdout or 1, 2: 2} if self._output is None else {}
        for fd, in_the_lab in own.items():
            with contextlib.suppress(OSError):  # closed in the lab, too
                names[fd] = os.readlink(f"/proc/self/fd/{in_the_lab}")
        return names

    def signal(self, number: int) -> None:
        """Send a signal to the command and its process group, if it still runs."""
        if self._process is not None and not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def start(
        self, on_end: Callable[[], None], around: contextlib.AbstractContextManager[None] | None = None
    ) -> int:
        """Start it, and return its PID.

        Parameters
        ----------
        on_end : callable
            Called, from another thread, when it has ended.
        around : context manager, optional
            Entered while the process is made, and nothing else is.
        """
        read_end = write_end = -1
        if self._output is not None:
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            with around or contextlib.nullcontext():
                self._process = subprocess.Popen(
                    self.argv,
                    executable=self._program,
                    stdin=None if self._interactive else subprocess.DEVNULL,
                    stdout=self._stdout if self._output is None else write_end,
                    stderr=None if self._output is None else write_end,
                    start_new_session=True,
                )
        except OSError as error:
            if read_end >= 0:
                os.close(read_end)
            raise CommandFailed(f"{self.argv[0]}: {error.strerror}") from error
        finally:
            if write_end >= 0:
                os.close(write_end)
        if self._output is not None:
            self._reader = threading.Thread(
                target=self._copy_output, args=(read_end, self._output), name="ebpf-lab-output", daemon=True
            )
            self._reader.start()
        threading.Thread(target=self._wait, args=(on_end,), name="ebpf-lab-command", daemon=True).start()
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, negative for a signal, None while it runs."""
        return self._process.returncode if self._process and self._ended.is_set() else None

    def stop(self) -> None:
        """End the command and its process group if it still runs, and wait until it is gone."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._ended.is_set():
                break
            self.signal(number)
            self._ended.wait(_GRACE)
        self._ended.wait()
        if self._reader is not None:
            self._reader.join()

    def _wait(self, on_end: Callable[[], None]) -> None:
        assert self._process is not None
        self._process.wait()
        self._ended.set()
        on_end()

    def _copy_output(self, read_end: int, output: Callable[[bytes], None]) -> None:
        # A daemon may hold the pipe open for ever: once the command is gone, only what is already in the
        # pipe is read.
        with os.fdopen(read_end, "rb", buffering=0) as pipe:
            while True:
                ended = self._ended.is_set()
                ready, _, _ = select.select([pipe], [], [], 0.0 if ended else 0.05)
                if not ready:
                    if ended:
                        return
                    continue
                chunk = pipe.read(65536)
                if not chunk:
                    return
                output(chunk)

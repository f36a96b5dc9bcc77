"""One Jupyter kernel in a machine of its own, from its start to its end."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import qemu
from ebpf_lab.vm.image import cache
from ebpf_lab.vm.jupyter import guest, saved
from ebpf_lab.vm.jupyter.saved import Saved

_BEGIN_SECONDS = 60.0
_POLL_MILLISECONDS = 20
_CONSOLE_LINES = 15


class _Ended(BaseException):
    """This process was told to end."""


def serve(machine: Saved, connection_file: Path, writable: Sequence[Path]) -> int:
    """Run one kernel until it ends, or until whoever started this process is gone.

    Parameters
    ----------
    machine : Saved
        What it begins as.
    connection_file : Path
        Jupyter's: the ports to answer at, and the key.
    writable : sequence of Path
        Directories of the host that the kernel may write to.

    Returns
    -------
    int
        The kernel's exit status, 128 + N for a kernel ended by signal N.

    Raises
    ------
    VirtualMachineError
        When the machine does not begin, or crashes.
    """
    connection = json.loads(connection_file.read_text())
    if connection.get("transport", "tcp") != "tcp":
        raise VirtualMachineError(
            f"a kernel in a machine is reached over tcp, not over {connection['transport']}"
        )
    parent = _parent()
    signal.signal(signal.SIGTERM, _end)
    # Until there is a kernel to interrupt: it is not the start that the learner wants to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ExitStack() as stack:
        place = stack.enter_context(qemu.directory())
        lab = place / "lab"
        lab.mkdir()
        shares = _shares(writable)
        _describe(lab, machine, connection, shares)
        spare = place / "spare"
        spare.mkdir()
        command = machine.command(place, [*shares, *([spare] * (saved.WRITABLE - len(shares)))])
        process = saved.start(command, place)
        stack.callback(process.wait)
        stack.callback(process.kill)
        try:
            control = stack.enter_context(saved.control(process, place))
            control.restore(machine.directory / "state")
            console = stack.enter_context(socket.socket(socket.AF_UNIX))
            console.connect(str(place / "console.socket"))
            console.sendall(f"{time.time():.6f}\n".encode())
            _wait_for(process, place, parent, lab / "answering")
            for name, port in guest.PORTS.items():
                control.forward(connection[name], port)
            signal.signal(signal.SIGINT, lambda *_: console.sendall(b"INT\n"))
            return _wait_for(process, place, parent, None)
        except _Ended:
            return 128 + signal.SIGTERM
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
                if (lab / name).exists():
                    stream.write((lab / name).read_text(errors="replace"))


def _end(number: int, frame: FrameType | None) -> None:
    raise _Ended


def _parent() -> int:
    # Jupyter names itself; other programs that read kernel specs do not.
    number = int(os.environ.get("JPY_PARENT_PID") or os.getppid())
    try:
        return os.pidfd_open(number)
    except ProcessLookupError:
        raise VirtualMachineError("whoever started this kernel is gone already") from None


def _shares(writable: Sequence[Path]) -> list[Path]:
    # What the guest's kernel and compiler make is kept, but apart: its owner is another root.
    compiled = cache() / "guest"
    compiled.mkdir(mode=0o700, parents=True, exist_ok=True)
    chosen = list(dict.fromkeys(path.resolve(strict=True) for path in writable))
    # A share within a share would be the same directory mounted twice.
    inner = [path for path in chosen if any(other in path.parents for other in chosen)]
    chosen = [path for path in chosen if path not in inner]
    if len(chosen) > saved.WRITABLE - 1:
        raise VirtualMachineError(
            f"a kernel's machine can write to {saved.WRITABLE - 1} directories, not to {len(chosen)}"
        )
    return [compiled, *chosen]


def _describe(lab: Path, machine: Saved, connection: dict[str, object], shares: Sequence[Path]) -> None:
    start = {
        "key": connection["key"],
        "signature_scheme": connection.get("signature_scheme", "hmac-sha256"),
        "cwd": os.getcwd(),
        "environment": qemu.environment({}),
        "libraries": machine.libraries,
        "entropy": os.urandom(32).hex(),
        "compiled": str(shares[0]),
    }
    # The key is nobody else's business.
    with open(lab / "start.json", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        json.dump(start, file)
    (lab / "hostname").write_text("ebpf-lab-vm\n")
    (lab / "writable").write_text("".join(f"{path}\n" for path in shares))


def _wait_for(process: subprocess.Popen[bytes], place: Path, parent: int, file: Path | None) -> int:
    """Wait until the guest made a file (0), until the kernel ended (its status), or the parent did."""
    status = place / "lab" / "status"
    limit = time.monotonic() + _BEGIN_SECONDS
    watched = select.poll()
    watched.register(parent, select.POLLIN)
    while True:
        ended = process.poll() is not None
        text = status.read_text() if status.exists() else ""
        if text.endswith("\n"):
            return int(text)
        if file is not None and file.exists() and file.stat().st_size:
            return 0
        if ended or (file is not None and time.monotonic() > limit):
            raise _crashed(process, place, "began" if file else "ran")
        if watched.poll(_POLL_MILLISECONDS):
            raise _Ended


def _crashed(process: subprocess.Popen[bytes], place: Path, when: str) -> VirtualMachineError:
    log = qemu.said(place)
    problem = (
        "it did not answer in time" if process.poll() is None else f"QEMU ended with {process.returncode}"
    )
    shown = "\n".join(log.splitlines()[-_CONSOLE_LINES:])
    return VirtualMachineError(
        f"the kernel's machine stopped while it {when}: {problem}",
        why=f"its console ends:\n{shown}",
        log=log,
    )

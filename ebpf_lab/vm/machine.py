"""One command in a virtual machine: this machine's files and programs under another kernel.

The guest sees the host's files at the same paths, project and virtual environment included.  What it writes
goes to memory and is gone at the end, but for directories named writable.

A guest of another architecture has programs of its own, and sees of the host's files this project and the
command's directory, at the same paths.
"""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import foreign, initramfs, qemu
from ebpf_lab.vm.arch import Architecture, architecture
from ebpf_lab.vm.image import Image, image
from ebpf_lab.vm.packages import Progress

DEFAULT_KERNEL = "6.12"
DEFAULT_MEMORY = "2G"

# A boot takes 2 to 4 s; a machine busy with other guests was seen to need 20.
_BOOT_SECONDS = 180.0
_POLL_SECONDS = 0.02
_CHUNK = 1 << 20
_NETWORK = ("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=")
_CONSOLE_LINES = 30
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
# These say where things are on the host.
_OF_THE_HOST = {"HOME", "PATH", "PYTHONHOME", "SHELL", "VIRTUAL_ENV", "XDG_CACHE_HOME"}
_PACKAGE = Path(__file__).resolve().parents[1]


class Sink(Protocol):
    """Where output goes: a binary file or anything like it."""

    def write(self, data: bytes, /) -> object:
        """Take some bytes."""
        ...

    def flush(self) -> object:
        """Pass them on."""
        ...


class TimeLimit(VirtualMachineError):
    """The command ran into its time limit, and the machine was stopped."""


@dataclass(frozen=True)
class Machine:
    """A virtual machine that boots a Debian kernel over this machine's files.

    Parameters
    ----------
    kernel : str
        Kernel series: "6.1", "6.12" or "7.2".
    cpus : int
        Processors of the guest.
    memory : str
        Memory of the guest in QEMU's notation; half of it can hold written files.
    arch : str or None
        The guest's architecture as ``uname -m`` prints it; the host's unless given.
    network : bool
        Give the guest a network in which it finds this machine's services, those that listen on 127.0.0.1
        included, at 10.0.2.2.
    progress : callable
        Told in a line what a long step (fetching the kernel the first time) is doing.

    Examples
    --------
    >>> Machine(kernel="6.1").run(["uname", "-r"])  # doctest: +SKIP
    6.1.0-50-amd64
    0

    Notes
    -----
    Processors are emulated: kernel virtualisation is often there and unusable inside another machine.
    Expect compute-bound work to be about 20 times slower.
    """

    kernel: str = DEFAULT_KERNEL
    cpus: int = 2
    memory: str = DEFAULT_MEMORY
    arch: str | None = None
    network: bool = False
    progress: Progress = lambda line: print(f"vm: {line}", file=sys.stderr, flush=True)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        stdout: Sink | None = None,
        stderr: Sink | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        writable: Sequence[str | os.PathLike[str]] = (),
    ) -> int:
        """Boot the machine, run one command as root in it, and return its exit status.

        Parameters
        ----------
        argv : sequence of str
            The command and its arguments.
        timeout : float or None
            Seconds the command may take, not counting the boot.
        stdout, stderr : Sink or None
            Where the command's output goes as it comes; this process's own unless given.
        cwd : path or None
            The command's directory; this process's unless given.  A guest of another architecture keeps its
            own where it has one of that name, such as ``/etc``.
        env : mapping or None
            Variables added to those that pass through (PATH, HOME, TERM, the locale, EBPF_LAB_* and
            Python's; those that say where things are do not pass to another architecture).
        writable : sequence of path
            Directories of the host that the command may really write to.

        Returns
        -------
        int
            The exit status; 128 + N for a command ended by signal N, 127 if there is no such command.

        Raises
        ------
        TimeLimit
            When the command takes longer than `timeout`.
        VirtualMachineError
            When the machine cannot be made, does not boot, or crashes; ``log`` has its console.
        """
        arch = architecture(self.arch)
        here = os.path.abspath(cwd or os.getcwd())
        environment = qemu.environment(None)
        root, seen = Path("/"), set[str]()
        if arch != architecture():
            root = foreign.root(arch, self._in_tree, self.progress)
            environment, project = abroad(environment)
            seen = {path for path in (project, here) if not Path(root, path[1:]).exists()}
        script = _script(argv, here, environment | dict(env or {}))
        return self._boot(arch, root, sorted(seen), script, timeout, stdout, stderr, writable)

    def _in_tree(self, tree: Path, command: str) -> None:
        """Run a shell command in a root file system that it may change."""
        output = io.BytesIO()
        script = _script(["chroot", str(tree), "sh", "-c", command], "/", {"PATH": _PATH})
        arch = architecture(self.arch)
        if self._boot(arch, tree, (), script, None, output, output, [tree]):
            log = output.getvalue().decode(errors="replace")
            raise VirtualMachineError(f"the programs for {arch.machine} do not work", log=log)

    def _boot(
        self,
        arch: Architecture,
        root: Path,
        seen: Sequence[str],
        script: str,
        timeout: float | None,
        stdout: Sink | None,
        stderr: Sink | None,
        writable: Sequence[str | os.PathLike[str]],
    ) -> int:
        kernel = image(self.kernel, arch, self.progress)
        shares = [str(Path(path).resolve(strict=True)) for path in writable]
        with qemu.directory() as directory:
            lab = directory / "lab"
            lab.mkdir()
            (lab / "command").write_text(script)
            (lab / "seen").write_text("".join(f"{path}\n" for path in seen))
            (lab / "hostname").write_text(f"ebpf-lab-{self.kernel}\n")
            (lab / "writable").write_text("".join(f"{path}\n" for path in shares))
            initrd = directory / "initrd"
            initrd.write_bytes(initramfs.build(kernel.modules, "guest_init.sh", root=root))
            command = self._qemu(arch, kernel, initrd, directory / "console", lab, root, seen, shares)
            outputs = (
                Follower(lab / "stdout", stdout or sys.stdout.buffer),
                Follower(lab / "stderr", stderr or sys.stderr.buffer),
            )
            with (directory / "qemu").open("wb") as log:
                process = subprocess.Popen(
                    [*qemu.ENDS_WITH_PARENT, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # A Ctrl-C in the terminal is this process's to handle.
                    start_new_session=True,
                )
            try:
                return _follow(process, directory, outputs, timeout)
            finally:
                process.kill()
                process.wait()
                for output in outputs:
                    output.close()

    def _qemu(
        self,
        arch: Architecture,
        kernel: Image,
        initrd: Path,
        console: Path,
        lab: Path,
        root: Path,
        seen: Sequence[str],
        writable: Sequence[str],
    ) -> list[str]:
        command = [
            qemu.program(arch), *arch.options, *qemu.EMULATED, *qemu.bare(),
            "-smp", str(self.cpus), "-m", self.memory, *(_NETWORK if self.network else ("-net", "none")),
            "-serial", f"file:{qemu.quoted(console)}",
            "-kernel", str(kernel.kernel), "-initrd", str(initrd), "-append", qemu.arguments(arch),
            *qemu.share("root", root, "readonly=on"), *qemu.share("kernel", kernel.tree, "readonly=on"),
            *qemu.share("lab", lab),
        ]  # fmt: skip
        for number, path in enumerate(seen):
            command += qemu.share(f"see{number}", path, "readonly=on")
        for number, path in enumerate(writable):
            command += qemu.share(f"write{number}", path)
        return command


def abroad(environment: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The environment for a guest with programs of its own, and the directory with this package.

    Of an installed package it is no more than the package itself: what lies beside that is the host's.
    """
    parent = _PACKAGE.parent
    project = parent if (parent / "pyproject.toml").exists() else _PACKAGE
    kept = {name: value for name, value in environment.items() if name not in _OF_THE_HOST}
    return kept | {"HOME": "/root", "PATH": _PATH, "PYTHONPATH": str(parent)}, str(project)


def _script(argv: Sequence[str], cwd: str, environment: Mapping[str, str]) -> str:
    if not argv:
        raise VirtualMachineError("no command was given to run in the machine")
    assignments = [f"{name}={value}" for name, value in environment.items()]
    # env -i: nothing of the guest's first process leaks in; and env reports a missing command as 127.
    return f"cd {shlex.quote(cwd)} || exit 126\nexec {shlex.join(['env', '-i', *assignments, *argv])}\n"


def _follow(
    process: subprocess.Popen[bytes], directory: Path, outputs: Sequence[Follower], timeout: float | None
) -> int:
    status, started = directory / "lab" / "status", directory / "lab" / "started"
    begin = time.monotonic()
    running = False
    while True:
        # Looked at before the outputs: the guest writes it last, so the outputs are then whole.
        ended = process.poll() is not None
        text = status.read_text() if status.exists() else ""
        for output in outputs:
            output.pass_on()
        if text.endswith("\n"):
            return int(text)
        if ended:
            raise _crashed(directory, process.returncode, running)
        now = time.monotonic()
        if not running and started.exists():
            running, begin = True, now
        if running and timeout is not None and now - begin > timeout:
            raise TimeLimit(f"the command was still running after {timeout:g} s; the machine was stopped")
        if not running and now - begin > _BOOT_SECONDS:
            raise VirtualMachineError(
                f"the machine did not boot in {_BOOT_SECONDS:g} s", log=qemu.said(directory)
            )
        time.sleep(_POLL_SECONDS)


def _crashed(directory: Path, code: int, running: bool) -> VirtualMachineError:
    log = qemu.said(directory)
    when = "while the command ran" if running else "before the command could start"
    problem = next(
        (line for line in log.splitlines() if "Kernel panic" in line), f"QEMU ended with status {code}"
    )
    shown = "\n".join(log.splitlines()[-_CONSOLE_LINES:])
    return VirtualMachineError(
        f"the machine stopped {when}: {problem}", why=f"its console ends:\n{shown}", log=log
    )


class Follower:
    """Passes on what the guest appends to a file of the shared directory."""

    def __init__(self, path: Path, sink: Sink) -> None:
        path.touch()
        self._file = path.open("rb", buffering=0)
        self._sink = sink

    def pass_on(self) -> None:
        """Hand over what has come since the last call."""
        came = False
        while chunk := self._file.read(_CHUNK):
            self._sink.write(chunk)
            came = True
        if came:
            self._sink.flush()

    def close(self) -> None:
        """Close the file; the sink is the caller's."""
        self._file.close()

"""A machine in which a Jupyter kernel is ready to begin, saved once and then started in a second or two.

Under emulation it takes half a minute until Python has imported pandas.  So this is done once; QEMU then
writes down the state of its devices (``state``) while the guest's memory is a file already (``memory``).
Kernels begin as copies of this state; they share the memory's pages until they write to them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import initramfs, qemu
from ebpf_lab.vm.alone import alone
from ebpf_lab.vm.arch import Architecture, architecture
from ebpf_lab.vm.image import Image, cache, image
from ebpf_lab.vm.jupyter import files
from ebpf_lab.vm.jupyter.qmp import Control
from ebpf_lab.vm.packages import Progress

WRITABLE = 3
"""Directories that can be written to: the number of devices is a part of the saved state."""

_KEPT = 3
"""Saved machines that are kept, those used last: 700 MB each."""
_READY = "ready"
_POLL_SECONDS = 0.02
_BOOT_SECONDS = 300.0
_VIRTUALISED_SECONDS = 5.0
"""A kernel that is really virtualised says its first words in a tenth of this."""
_NETWORK = (
    *("-netdev", "user,id=net,restrict=on"),
    *("-device", "virtio-net-pci,netdev=net,romfile="),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What kind of machine is wanted.

    Attributes
    ----------
    kernel : str
        Kernel series: "6.1", "6.12" or "7.2".
    memory : str
        The guest's memory in QEMU's notation.
    cpus : int
        The guest's processors.
    modules : tuple of str
        Python modules imported before the machine is saved.
    calls : tuple of str
        Functions, as MODULE:FUNCTION, called before the machine is saved.
    extensions : tuple of str
        IPython extensions loaded when a kernel begins.
    kernel_class : str
        The class of the kernel.
    """

    kernel: str
    memory: str
    cpus: int
    modules: tuple[str, ...]
    calls: tuple[str, ...]
    extensions: tuple[str, ...]
    kernel_class: str

    def preparation(self) -> list[str]:
        """What the kernel's process does before the machine is saved, as its options."""
        options = [f"--import={module}" for module in self.modules]
        return [*options, *(f"--call={call}" for call in self.calls), f"--kernel-class={self.kernel_class}"]


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved machine.

    Attributes
    ----------
    directory : Path
        With ``memory`` and ``state``.
    kernel : Image
        The guest's kernel.
    libraries : tuple of str
        Machine code that the guest's Python runs.
    """

    directory: Path
    kernel: Image
    libraries: tuple[str, ...]
    _wanted: Wanted
    _processor: tuple[str, ...]

    def command(self, place: Path, shares: Sequence[Path]) -> list[str]:
        """QEMU's command line for a copy that goes on from the saved state.

        Parameters
        ----------
        place : Path
            The machine's own directory.
        shares : sequence of Path
            :data:`WRITABLE` directories.
        """
        command = _command(
            self._wanted, self._processor, self.directory / "memory", place, self.kernel, shares
        )
        return [*command, "-incoming", "defer"]


def find(wanted: Wanted, progress: Progress) -> Saved:
    """The saved machine, made when there is none yet or when its files have changed since.

    Raises
    ------
    VirtualMachineError
        When it cannot be made.
    """
    arch = architecture()
    kernel = image(wanted.kernel, arch, progress)
    directory = cache() / "jupyter" / _name(wanted, arch, kernel)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with alone(directory.parent / "lock", progress, "preparing a machine for Jupyter kernels"):
        found = _load(directory, wanted, kernel)
        if found is None:
            _make(directory, wanted, arch, kernel, progress)
            _prune(directory.parent)
            found = _load(directory, wanted, kernel)
            if found is None:
                raise VirtualMachineError(
                    "the lab's files changed while a machine was saved", hint="start the kernel again"
                )
        os.utime(directory)
    return found


def _name(wanted: Wanted, arch: Architecture, kernel: Image) -> str:
    program = Path(qemu.program(arch)).stat()
    parts: list[object] = [asdict(wanted), arch.machine, kernel.release, str(kernel.kernel), files.python()]
    parts += [program.st_size, program.st_mtime_ns, _scripts()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _scripts() -> list[str]:
    package = resources.files("ebpf_lab.vm")
    return [package.joinpath(name).read_text() for name in ("jupyter/init.sh", "guest_common.sh")]


def _load(directory: Path, wanted: Wanted, kernel: Image) -> Saved | None:
    try:
        kept = json.loads((directory / "saved.json").read_text())
    except FileNotFoundError:
        return None
    if [list(row) for row in files.state(row[0] for row in kept["files"])] != kept["files"]:
        return None
    return Saved(directory, kernel, tuple(kept["libraries"]), wanted, tuple(kept["processor"]))


def _prune(directory: Path) -> None:
    # What was broken off counts as old; nobody else makes any meanwhile.
    saved = [path for path in directory.iterdir() if path.is_dir()]
    saved.sort(key=lambda path: (path.suffix == "", path.stat().st_mtime), reverse=True)
    for path in saved[_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def _make(directory: Path, wanted: Wanted, arch: Architecture, kernel: Image, progress: Progress) -> None:
    progress("preparing a machine for Jupyter kernels, once: this takes a minute or so ...")
    begun = time.monotonic()
    environment = files.environment()
    needed = files.record(wanted.preparation(), environment)
    work = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        processor = _processor(arch, kernel, work)
        start = files.start(wanted.preparation(), wanted.extensions, environment)
        entries = [*files.entries(needed.files), initramfs.Entry("start", initramfs.PROGRAM, start.encode())]
        (work / "initrd").write_bytes(initramfs.build(kernel.modules, "jupyter/init.sh", entries))
        _save(work, wanted, arch, kernel, processor)
        (work / "initrd").unlink()
        kept = {
            "files": files.state(needed.files),
            "libraries": needed.code,
            "processor": processor,
        }
        (work / "saved.json").write_text(json.dumps(kept))
        shutil.rmtree(directory, ignore_errors=True)
        work.rename(directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    progress(f"prepared in {time.monotonic() - begun:.0f} s; kernels begin at once from now on")


def _processor(arch: Architecture, kernel: Image, work: Path) -> tuple[str, ...]:
    # Virtual machines and containers often have /dev/kvm without being able to run anything with it.
    if os.access("/dev/kvm", os.R_OK | os.W_OK) and _virtualised(arch, kernel, work / "tried"):
        return (*arch.options, *arch.virtualised)
    return (*arch.options, *qemu.EMULATED)


def _virtualised(arch: Architecture, kernel: Image, console: Path) -> bool:
    command = [
        *qemu.ENDS_WITH_PARENT, qemu.program(arch), *arch.options, *arch.virtualised, *qemu.bare(),
        "-m", "512M", "-net", "none", "-serial", f"file:{qemu.quoted(console)}",
        "-kernel", str(kernel.kernel), "-append", f"console={arch.console} earlycon",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        limit = time.monotonic() + _VIRTUALISED_SECONDS
        try:
            while time.monotonic() < limit and process.poll() is None:
                if console.exists() and "Linux version" in console.read_text(errors="replace"):
                    return True
                time.sleep(_POLL_SECONDS)
        finally:
            process.kill()
    return False


def _save(work: Path, wanted: Wanted, arch: Architecture, kernel: Image, processor: Sequence[str]) -> None:
    with qemu.directory() as place:
        (place / "lab").mkdir()
        memory = work / "memory"
        command = _command(wanted, processor, memory, place, kernel, [place / "lab"] * WRITABLE, shared=True)
        command += ["-kernel", str(kernel.kernel), "-initrd", str(work / "initrd")]
        command += ["-append", qemu.arguments(arch)]
        with start(command, place) as process:
            try:
                _until_ready(process, place)
                with control(process, place) as connection:
                    connection.save(work / "state")
            finally:
                process.kill()


def control(process: subprocess.Popen[bytes], place: Path) -> Control:
    """Connect to QEMU's control socket, once it is there.

    Raises
    ------
    VirtualMachineError
        When QEMU ends first.
    """
    while True:
        try:
            return Control(place / "control")
        except (FileNotFoundError, ConnectionRefusedError):
            if process.poll() is not None:
                raise VirtualMachineError(
                    f"QEMU ended with status {process.returncode}", why=qemu.said(place)
                ) from None
        time.sleep(_POLL_SECONDS)


def start(command: Sequence[str], place: Path) -> subprocess.Popen[bytes]:
    """Start QEMU, so that it ends with this thread; what it says goes to ``qemu`` in `place`."""
    with (place / "qemu").open("wb") as log:
        return subprocess.Popen(
            [*qemu.ENDS_WITH_PARENT, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Signals for a Jupyter kernel go to its whole group.
            start_new_session=True,
        )


def _until_ready(process: subprocess.Popen[bytes], place: Path) -> None:
    limit = time.monotonic() + _BOOT_SECONDS
    while True:
        ended = process.poll() is not None
        console = qemu.said(place)
        if _READY in console.split():
            return
        if ended or time.monotonic() > limit:
            problem = f"QEMU ended with status {process.returncode}" if ended else "it takes too long"
            shown = "\n".join(console.splitlines()[-30:])
            raise VirtualMachineError(
                f"no machine for Jupyter kernels could be made: {problem}",
                why=f"its console ends:\n{shown}",
                log=console,
            )
        time.sleep(_POLL_SECONDS)


def _command(
    wanted: Wanted,
    processor: Sequence[str],
    memory: Path,
    place: Path,
    kernel: Image,
    shares: Sequence[Path],
    shared: bool = False,
) -> list[str]:
    arch = architecture()
    backend = f"memory-backend-file,id=memory,size={wanted.memory},mem-path={qemu.quoted(memory)}"
    console, control = (f"{qemu.quoted(place / name)}" for name in ("console", "control"))
    command = [
        qemu.program(arch), *processor, *qemu.bare(), *_NETWORK,
        "-smp", str(wanted.cpus), "-m", wanted.memory,
        # Saved with the memory as a shared mapping of its file, QEMU leaves it out of the state; begun with a
        # private one, it reads the file, and writes nothing to it.
        "-object", f"{backend},share={'on' if shared else 'off'}", "-machine", "memory-backend=memory",
        "-chardev", f"socket,id=console,path={console}.socket,server=on,wait=off,logfile={console}",
        "-serial", "chardev:console", "-qmp", f"unix:{control},server=on,wait=off",
        *qemu.share("root", "/", "readonly=on"), *qemu.share("kernel", kernel.tree, "readonly=on"),
        *qemu.share("lab", place / "lab"),
    ]  # fmt: skip
    # In what the guest's root compiles for later kernels, files are root's own: the lab trusts no others.
    for number, path in enumerate(shares):
        command += qemu.share(f"write{number}", path, owners="none" if number else "mapped-file")
    return command

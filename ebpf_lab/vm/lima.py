"""``./lab vm --image debian13``: a machine as Lima makes it, provisioned and checked in two boots.

Lima itself runs on Macs and on machines with KVM.  Here QEMU boots a whole Debian with systemd and an
ordinary user, made by Debian's own tools; in it run the provisioning scripts and the probes of
``lima/ebpf-lab.yaml``, and then ``lima/check.py``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import qemu
from ebpf_lab.vm.arch import Architecture, architecture
from ebpf_lab.vm.machine import Follower, Machine, Sink, TimeLimit
from ebpf_lab.vm.packages import KEYRING, Progress, mirror

IMAGES = {"debian13": "trixie"}
"""Names of images, and the Debian suite that each is of."""

FIRST_LESSON = "00"
"""All that is run after the restart, and of another architecture's machine."""

MEMORY = "3G"
"""What ``lima/ebpf-lab.yaml`` gives the machine, in QEMU's notation."""

_PROJECT = Path(__file__).resolve().parents[2]
_USER, _UID = "learner", 1000

# What Debian's cloud images and Lima rely on, and no more.
_PACKAGES = (
    "ca-certificates dbus e2fsprogs initramfs-tools iproute2 kmod less libpam-systemd netbase procps python3"
    " sudo systemd systemd-sysv udev"
)

_DISK_SIZE = "12G"
_POLL_SECONDS = 0.2
_CONSOLE_LINES = 30

# Minutes at the most, on an emulated processor; a machine that finds no disk or no share waits for ever.
_BOOT_SECONDS = 900.0


def check(name: str, machine: Machine, *, timeout: float | None = None, stdout: Sink | None = None) -> int:
    """Make the machine, boot it twice, and return 0 if all that ran in it succeeded.

    A second boot after a failure would show nothing new, and is left out.

    Parameters
    ----------
    name : str
        One of :data:`IMAGES`.
    machine : Machine
        Its processors, memory and architecture, and who is told what a long step is doing; the kernel is the
        image's own.
    timeout : float or None
        Seconds for each boot and what runs in it.
    stdout : Sink or None
        Where the output of provisioning, probes and checks goes as it comes; standard output unless given.

    Raises
    ------
    VirtualMachineError
        When the machine cannot be made, or does not come to its end.
    """
    if os.getuid() != 0:
        raise VirtualMachineError(
            "an image can only be made by root",
            why="its files belong to several users",
            hint="sudo ./lab vm ...",
        )
    if not (_PROJECT / "lima").exists():
        raise VirtualMachineError(
            "the files that provision a machine are not installed",
            hint="run ./lab vm in the project's directory",
        )
    arch = architecture(machine.arch)
    with qemu.directory() as directory:
        _scripts(directory / "lab")
        _copy_project(directory / "project")
        _make_disk(name, arch, directory, machine.progress)
        return _boot_twice(arch, directory, machine, stdout or sys.stdout.buffer, timeout)


def _boot_twice(
    arch: Architecture, directory: Path, machine: Machine, stdout: Sink, timeout: float | None
) -> int:
    status = 0
    for boot in ("first", "second"):
        if status == 0:
            machine.progress(f"the {boot} boot ...")
            # Once is enough; the other architecture's processor takes minutes for each.
            whole = boot == "first" and arch == architecture()
            (directory / "lab/lessons").write_text("" if whole else FIRST_LESSON)
            begin = time.monotonic()
            status = _boot(arch, directory, machine, stdout, timeout)
            machine.progress(f"the {boot} boot ended after {time.monotonic() - begin:.0f} s")
    return status


def _scripts(lab: Path) -> None:
    """Write what the machine runs into a directory, which it sees as ``/lab``."""
    import yaml  # JupyterLab brings it along; the rest of this package does without

    text = (_PROJECT / "lima/ebpf-lab.yaml").read_text()
    values = {".User": _USER, ".Param.Project": str(_PROJECT), ".Name": "ebpf-lab", ".Dir": "DIR"}
    lima = yaml.safe_load(re.sub(r"\{\{ *([.\w]+) *\}\}", lambda match: values[match[1]], text))
    (lab / "probes").mkdir(parents=True)
    (lab / "provision").mkdir()
    for number, script in enumerate(lima["provision"]):
        (lab / "provision" / f"{number}").write_text(script["script"])
    for number, probe in enumerate(lima["probes"]):
        (lab / "probes" / f"{number}").write_text(probe["script"])
        (lab / "probes" / f"{number}.hint").write_text(probe["hint"])
    (lab / "boot").write_bytes(resources.files("ebpf_lab.vm").joinpath("lima_boot.sh").read_bytes())


def _copy_project(target: Path) -> None:
    # The machine's user may write there, and not in the project itself, which may be another's.
    ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(_PROJECT, target, symlinks=True, ignore=ignored)
    for path in (target, *target.rglob("*")):
        os.chown(path, _UID, _UID, follow_symlinks=False)


def _make_disk(name: str, arch: Architecture, directory: Path, progress: Progress) -> None:
    tree, disk = directory / "tree", directory / "disk"
    hook = directory / "hook"
    hook.write_bytes(resources.files("ebpf_lab.vm").joinpath("lima_image.sh").read_bytes())
    hook.chmod(0o755)
    suite, packages = IMAGES[name], [*_PACKAGES.split(), f"linux-image-{arch.debian}"]
    progress(f"installing Debian {suite} into a directory ...")
    _run(
        [
            *("mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", f"--keyring={KEYRING}"),
            *(f"--architectures={arch.debian}", "--quiet", f"--customize-hook={hook}", suite, str(tree)),
            *(f"deb {mirror()} {part} main" for part in (suite, f"{suite}-updates")),
        ]
    )
    for kind in ("vmlinuz", "initrd.img"):
        (found,) = (tree / "boot").glob(f"{kind}-*")
        shutil.copyfile(found, directory / kind)
    progress("making its disk ...")
    _run(["mkfs.ext4", "-q", "-d", str(tree), str(disk), _DISK_SIZE])
    shutil.rmtree(tree)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise VirtualMachineError(
            f"{command[0]} is not installed", hint="apt-get install mmdebstrap e2fsprogs"
        ) from None
    if done.returncode:
        raise VirtualMachineError(
            f"{command[0]} failed", why="\n".join(done.stderr.splitlines()[-5:]), log=done.stderr
        )


def _boot(arch: Architecture, directory: Path, machine: Machine, stdout: Sink, timeout: float | None) -> int:
    """From power on to the reboot that the machine asks for at its end, which ends QEMU."""
    console, status, lab = directory / "console", directory / "lab/status", directory / "lab"
    command = [
        qemu.program(arch), *arch.options, *qemu.EMULATED, *qemu.bare(),
        "-smp", str(machine.cpus), "-m", machine.memory, "-serial", f"file:{qemu.quoted(console)}",
        "-kernel", str(directory / "vmlinuz"), "-initrd", str(directory / "initrd.img"),
        "-append", f"root=/dev/vda rw {qemu.arguments(arch)}",
        # What is lost when the host fails is thrown away in any case.
        "-drive", f"file={qemu.quoted(directory / 'disk')},format=raw,if=virtio,cache=unsafe",
        "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
        *qemu.share("lab", lab), *qemu.share("project", directory / "project"),
    ]  # fmt: skip
    status.unlink(missing_ok=True)
    output = Follower(lab / "output", stdout)
    with (directory / "qemu").open("wb") as log:
        process = subprocess.Popen(
            [*qemu.ENDS_WITH_PARENT, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # A Ctrl-C in the terminal is this process's to handle.
            start_new_session=True,
        )
    begin = time.monotonic()
    try:
        while process.poll() is None:
            output.pass_on()
            passed = time.monotonic() - begin
            if passed > _BOOT_SECONDS and not (lab / "output").stat().st_size:
                raise _lost(f"the machine did not boot in {_BOOT_SECONDS:g} s", directory)
            if timeout is not None and passed > timeout:
                raise TimeLimit(f"the machine was still at it after {timeout:g} s, and was stopped")
            time.sleep(_POLL_SECONDS)
    finally:
        process.kill()
        process.wait()
        output.pass_on()
        output.close()
        (lab / "output").unlink()
    if not status.exists():
        raise _lost("the machine ended before its checks did", directory)
    return int(status.read_text())


def _lost(what: str, directory: Path) -> VirtualMachineError:
    log = qemu.said(directory)
    shown = "\n".join(log.splitlines()[-_CONSOLE_LINES:])
    return VirtualMachineError(what, why=f"its console ends:\n{shown}", log=log)

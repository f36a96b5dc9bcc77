"""The lab's Jupyter kernels, and which of them suits this machine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from ebpf_lab.errors import LabError, MissingFeature, UsageProblem
from ebpf_lab.host import features
from ebpf_lab.lessons import catalogue
from ebpf_lab.recordings.course import RECORDINGS
from ebpf_lab.recordings.course import REPLAY as REPLAY_VARIABLE
from ebpf_lab.vm import requirements
from ebpf_lab.vm.machine import DEFAULT_KERNEL

LOCAL, MACHINE, REPLAY = "ebpf-lab", "ebpf-lab-vm", "ebpf-lab-replay"
"""Names of the kernel specifications: on this machine's kernel, in a virtual machine, and on none at all."""

KERNEL_OPTIONS = ("--ext=ebpf_lab", "--IPKernelApp.kernel_class=ebpf_lab.notebook.kernel.LabKernel")
"""What makes IPython's kernel the lab's."""

PROBES = (
    "bpf",
    "btf",
    "tracepoint",
    "raw_tracepoint",
    "kprobe",
    "fentry",
    "uprobe",
    "perf_event",
    "ringbuf",
    "perfbuf",
)
"""What a kernel must have to be the one for the lessons."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A kernel, and why it is the one to take.

    Attributes
    ----------
    name : str
        :data:`LOCAL`, :data:`MACHINE` or :data:`REPLAY`.
    why : str
        In one sentence.
    complete : bool
        Whether all kinds of probes work in it.
    """

    name: str
    why: str
    complete: bool


def has_recordings() -> bool:
    """Whether the course came with recordings."""
    try:
        return any(catalogue.notebooks().glob(f"{RECORDINGS}/*/*/*.zip"))
    except UsageProblem:
        return False


def choose(
    missing: Callable[[], features.Feature | None] | None = None,
    unready: Callable[[str], LabError | None] = requirements.missing,
    recorded: Callable[[], bool] = has_recordings,
) -> Choice:
    """Which kernel the lessons should run in here: this machine's own if it can trace everything.

    Else one in a virtual machine, else none: lessons then show what was recorded.

    Parameters
    ----------
    missing : callable
        Says what this machine lacks of :data:`PROBES`; tried unless given.
    unready : callable
        Says what a virtual machine lacks here.
    recorded : callable
        Whether there are recordings of the lessons.
    """
    lacking = features.missing(PROBES) if missing is None else missing()
    if lacking is None:
        return Choice(LOCAL, "this machine's kernel has all kinds of probes", True)
    why = f"this machine's kernel lacks {lacking.name} ({lacking.reason})"
    problem = unready(DEFAULT_KERNEL)
    if problem is None:
        return Choice(MACHINE, f"{why}; a virtual machine with Linux {DEFAULT_KERNEL} has it", True)
    hint = f": {problem.hint}" if problem.hint else ""
    why = f"{why}, and there can be no virtual machine ({problem.what}{hint})"
    if recorded():
        return Choice(REPLAY, f"{why}: lessons show what was recorded elsewhere", False)
    return Choice(LOCAL, why, False)


def install(prefix: Path, course: Path | None, kernel: str = DEFAULT_KERNEL) -> list[Path]:
    """Write the kernel specifications below ``prefix/share/jupyter/kernels``.

    Parameters
    ----------
    prefix : Path
        Such as a virtual environment, or ``~/.local``.
    course : Path or None
        The directory, besides that of the notebook, which the virtual machine may write to; its recordings
        are replayed.  Without one, those beside each notebook are.
    kernel : str
        Kernel series of the virtual machine; any but the default goes into the specification's name.

    Returns
    -------
    list of Path
        The directories written.

    Raises
    ------
    MissingFeature
        When they cannot be written.
    """
    local = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *KERNEL_OPTIONS],
        "display_name": "eBPF Lab",
        "language": "python",
    }
    other = kernel != DEFAULT_KERNEL
    machine = {
        "argv": [
            *(sys.executable, "-m", "ebpf_lab.vm.jupyter", "-f", "{connection_file}"),
            *(("--kernel", kernel) if other else ()),
            *(("--writable", str(course.resolve())) if course else ()),
        ],
        "display_name": f"eBPF Lab (VM, Linux {kernel})" if other else "eBPF Lab (VM)",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": _provisioned(prefix),
    }
    replay = local | {
        "display_name": "eBPF Lab (replay)",
        "env": {REPLAY_VARIABLE: str(course.resolve() / RECORDINGS) if course else RECORDINGS},
    }
    specifications = {
        LOCAL: local,
        f"{MACHINE}-{kernel}" if other else MACHINE: machine,
        REPLAY: replay,
    }
    return [_write(prefix, name, specification) for name, specification in specifications.items()]


def make_default(prefix: Path, name: str) -> Path:
    """Let an installed specification be Jupyter's ``python3``, which notebooks for any Jupyter ask for."""
    installed = prefix / "share/jupyter/kernels" / name / "kernel.json"
    return _write(prefix, "python3", json.loads(installed.read_text()))


def _write(prefix: Path, name: str, specification: object) -> Path:
    directory = prefix / "share/jupyter/kernels" / name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "kernel.json").write_text(json.dumps(specification, indent=1) + "\n")
    except OSError as error:
        raise MissingFeature(
            f"the kernel specification {name} cannot be written",
            why=str(error),
            hint="ebpf-lab install-kernel --user, or --prefix DIRECTORY",
        ) from error
    return directory


def _provisioned(prefix: Path) -> dict[str, object]:
    # Jupyter hides a kernel whose provisioner it does not find: only a server of this environment finds ours.
    # Without one the kernel starts all the same, but a failure shows in the server's log alone.
    # Here, because the command line names kernels also where there is no Jupyter.
    from ebpf_lab.notebook import provisioner

    known = entry_points(group="jupyter_client.kernel_provisioners", name=provisioner.NAME)
    if known and Path(os.path.realpath(prefix)).is_relative_to(os.path.realpath(sys.prefix)):
        return {"kernel_provisioner": {"provisioner_name": provisioner.NAME}}
    return {}

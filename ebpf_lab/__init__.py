"""Learn eBPF: C text goes down to the kernel, events come back as a typed DataFrame.

>>> import ebpf_lab
>>> callable(ebpf_lab.trace)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebpf_lab.errors import (
    AttachError,
    CommandFailed,
    CompileError,
    EventDecodeError,
    ExerciseNotPassed,
    HostFailed,
    LabError,
    MissingFeature,
    MissingPrivilege,
    RecordingDamaged,
    UsageProblem,
    VerifierRejected,
    VirtualMachineError,
)

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ebpf_lab.frame.folded import folded
    from ebpf_lab.plots.accessor import plot
    from ebpf_lab.replayed import replay
    from ebpf_lab.session import Trace, trace

__all__ = [
    "AttachError",
    "CommandFailed",
    "CompileError",
    "EventDecodeError",
    "ExerciseNotPassed",
    "HostFailed",
    "LabError",
    "MissingFeature",
    "MissingPrivilege",
    "RecordingDamaged",
    "Trace",
    "UsageProblem",
    "VerifierRejected",
    "VirtualMachineError",
    "folded",
    "load_ipython_extension",
    "plot",
    "replay",
    "trace",
]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Make ``%%bpf``, ``%bpf``, ``%lab`` and ``%%live`` known to IPython (``%load_ext ebpf_lab``)."""
    from ebpf_lab.notebook import live_cells
    from ebpf_lab.notebook.lab_magics import LabMagics
    from ebpf_lab.notebook.magics import BpfMagics

    bpf = BpfMagics(shell)
    shell.register_magics(bpf, LabMagics(shell, bpf.cells))
    live_cells.register(shell)


def __getattr__(name: str) -> object:
    # pandas comes in with the first trace: tools that only need a part of the package start without it.
    if name in ("Trace", "trace"):
        from ebpf_lab import session

        return getattr(session, name)
    if name == "replay":
        from ebpf_lab.replayed import replay

        return replay
    if name == "folded":
        from ebpf_lab.frame.folded import folded

        return folded
    if name == "plot":
        from ebpf_lab.plots.accessor import plot

        return plot
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

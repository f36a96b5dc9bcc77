"""What the package adds to a Python that has pandas, and how long a notebook's kernel takes to start."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from jupyter_client.manager import KernelManager

from benchmarks.harness import Effort, Goal, Result, alternate, process_seconds
from ebpf_lab.notebook.kernels import KERNEL_OPTIONS

_TAKEN = "import time; print(time.process_time() * 1e3)"
_KERNEL_SECONDS = 60.0
_OURS = "eBPF Lab"
_CAUSE = (
    "Less than half of it is processor time, most of that the imports of ipykernel and pandas; what the rest"
    " waits for beside a busy machine is not known"
)


def imports(effort: Effort) -> Iterator[Result]:
    """Processor time of a Python that imports, and the seconds until a kernel answers."""
    pandas, ours = "import pandas", "import pandas, ebpf_lab"
    taken = alternate({each: lambda each=each: _import(each) for each in (pandas, ours)}, effort.rounds)
    added = taken[ours].median - taken[pandas].median
    yield Result(
        "import",
        "Import of the package",
        "ms of processor time",
        tuple(taken.values()),
        False,
        (Goal("over pandas", added, 150, "ms", least=False),),
    )
    taken_by_it: list[float] = []
    options = {"ipykernel alone": (), _OURS: KERNEL_OPTIONS}
    kernels = alternate(
        {
            each: lambda each=each: _kernel(options[each], taken_by_it if each == _OURS else [])
            for each in options
        },
        effort.rounds,
    )
    yield Result(
        "import",
        "A notebook's kernel, from its start to its first answer",
        "s",
        tuple(kernels.values()),
        False,
        (Goal(_OURS, kernels[_OURS].median, 1.5, "s", least=False, cause=_CAUSE),),
        notes=(f"Of it, processor time of the kernel eBPF Lab: {min(taken_by_it):.2f} s.",),
    )


def _import(statement: str) -> float:
    command = [sys.executable, "-c", f"{statement}; {_TAKEN}"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _kernel(options: tuple[str, ...], taken: list[float]) -> float:
    manager = KernelManager()
    manager.kernel_spec.argv = [
        *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"), *options
    ]  # fmt: skip
    began = time.perf_counter()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=_KERNEL_SECONDS)
        seconds = time.perf_counter() - began
        taken.append(process_seconds(manager.provisioner.pid))
        return seconds
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

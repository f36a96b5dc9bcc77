"""What the kernel specification "eBPF Lab (VM)" starts: a kernel in a machine of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm.image import KERNELS
from ebpf_lab.vm.jupyter.saved import Wanted, find
from ebpf_lab.vm.jupyter.serve import serve
from ebpf_lab.vm.machine import DEFAULT_KERNEL

# Both dialects, and all that a cell with a trace takes: what is not imported here costs the first such cell
# seconds.
_MODULES = (
    *("pandas", "pandas.io.formats.html", "pyarrow.pandas_compat", "ebpf_lab.notebook.magics"),
    *("ebpf_lab.backends.libbpf", "ebpf_lab.backends.bcc", "ebpf_lab.diagnose.verifier"),
)
_EXTENSIONS = ("ebpf_lab",)
# What the first Tab would wait for.
_CALLS = ("ebpf_lab.notebook.completion.warm:warm",)
_KERNEL = "ebpf_lab.notebook.kernel.LabKernel"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the kernel's exit status."""
    parser = argparse.ArgumentParser(prog="python -m ebpf_lab.vm.jupyter", description=__doc__)
    parser.add_argument("-f", dest="connection", type=Path, metavar="FILE", help="Jupyter's connection file")
    parser.add_argument("--kernel", default=DEFAULT_KERNEL, choices=KERNELS, help="default %(default)s")
    parser.add_argument("--cpus", type=int, default=2, metavar="N", help="default %(default)s")
    parser.add_argument("--memory", default="2G", metavar="SIZE", help="default %(default)s")
    parser.add_argument(
        "--writable", type=Path, action="append", default=[], metavar="DIR", help="may be written to"
    )
    parser.add_argument("--prepare", action="store_true", help="only make ready what every kernel begins as")
    parsed = parser.parse_args(arguments)
    if not (parsed.connection or parsed.prepare):
        parser.error("one of -f FILE and --prepare is needed")
    wanted = Wanted(parsed.kernel, parsed.memory, parsed.cpus, _MODULES, _CALLS, _EXTENSIONS, _KERNEL)
    try:
        machine = find(wanted, lambda line: print(f"vm: {line}", file=sys.stderr, flush=True))
        return (
            0 if parsed.prepare else serve(machine, parsed.connection, [*parsed.writable, *_own_directory()])
        )
    except VirtualMachineError as error:
        print(error.block(), file=sys.stderr)
        return 1


def _own_directory() -> list[Path]:
    # A notebook's own directory is its course, but a home holds more than that.
    here = Path.cwd()
    return [] if here in (Path.home(), *Path.home().parents) else [here]


if __name__ == "__main__":
    sys.exit(main())

"""``ebpf-lab kernels`` and ``ebpf-lab install-kernel``: the lab's kernels for Jupyter.

``kernels`` fails where none has all kinds of probes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from ebpf_lab.cli.common import Verbs
from ebpf_lab.notebook import kernels
from ebpf_lab.vm import KERNELS
from ebpf_lab.vm.machine import DEFAULT_KERNEL


def add(verbs: Verbs) -> None:
    """Add the verbs."""
    parser = verbs.add_parser(
        "kernels", help="which of the lab's Jupyter kernels suits this machine, and why"
    )
    parser.set_defaults(run=_choose)
    parser = verbs.add_parser(
        "install-kernel",
        help="make the lab's kernels known to Jupyter: here, in a virtual machine, and replay",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for every Jupyter of this user")
    where.add_argument("--prefix", type=Path, metavar="DIR", help="below DIR; default: this environment")
    parser.add_argument(
        "--course", type=Path, metavar="DIR",
        help="the course: the virtual machine may write to it, and its recordings are replayed",
    )  # fmt: skip
    parser.add_argument("--kernel", choices=KERNELS, default=DEFAULT_KERNEL, help="default %(default)s")
    parser.add_argument(
        "--default", choices=(kernels.LOCAL, kernels.MACHINE, kernels.REPLAY), metavar="NAME",
        help=f"{kernels.LOCAL}, {kernels.MACHINE} or {kernels.REPLAY}: for notebooks that ask for python3",
    )  # fmt: skip
    parser.add_argument(
        "--prepare", action="store_true", help="fetch the virtual machine's kernel and save a machine now"
    )
    parser.set_defaults(run=_install)


def _choose(parsed: argparse.Namespace) -> int:
    choice = kernels.choose()
    print(f"{choice.name}: {choice.why}")
    return 0 if choice.complete else 1


def _install(parsed: argparse.Namespace) -> int:
    # What Jupyter searches of the user's own: jupyter_core's JUPYTER_DATA_DIR by default.
    prefix = Path.home() / ".local" if parsed.user else parsed.prefix or Path(sys.prefix)
    for directory in kernels.install(prefix, parsed.course, parsed.kernel):
        print(directory)
    if parsed.default:
        print(kernels.make_default(prefix, parsed.default))
    if not parsed.prepare:
        return 0
    command = [sys.executable, "-m", "ebpf_lab.vm.jupyter", "--prepare", "--kernel", parsed.kernel]
    return subprocess.run(command, env=os.environ, check=False).returncode

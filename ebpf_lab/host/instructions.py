"""Where instructions begin: a breakpoint put into the middle of one breaks every process that runs it."""

from __future__ import annotations

import re
import shutil
import subprocess

from ebpf_lab.errors import AttachError
from ebpf_lab.host.elf import Elf

_SECONDS = 20
_LONGEST = 16
"""Bytes that hold any instruction: one that is cut off would be shown as several."""
_MACHINE_ARM64 = 183
_LINE = re.compile(r"^\s*([0-9a-f]+):\t", re.MULTILINE)


def check(elf: Elf, address: int) -> None:
    """Raise :class:`~ebpf_lab.errors.AttachError` when no instruction begins at ``address``.

    The kernel does not look.  It can be told within a function alone: code that no symbol names is
    taken as it is.
    """
    found = elf.function_at(address)
    if found is None or found[1] == 0:
        return
    name, distance = found
    begins = _begins(elf, address - distance, address)
    if address in begins:
        return
    near = [start - (address - distance) for start in begins if start < address]
    raise AttachError(
        f"{name}+{distance:#x} is in the middle of an instruction",
        why="a breakpoint there would break every process that runs it",
        hint=f"the instruction begins at {name}+{near[-1]:#x}" if near else "",
    )


def _begins(elf: Elf, first: int, last: int) -> list[int]:
    """Addresses from ``first``, which begins one, up to ``last`` at which an instruction begins."""
    if elf.machine == _MACHINE_ARM64:
        return list(range(first, last + 1, 4))
    command = shutil.which("objdump")
    if command is None:
        raise AttachError(
            "cannot tell where the instructions begin",
            why="that takes objdump, which is not installed",
            hint="sudo apt install binutils, or probe the function's first instruction",
        )
    try:
        done = subprocess.run(
            [command, "-d", f"--start-address={first:#x}", f"--stop-address={last + _LONGEST:#x}", elf.path],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise AttachError(f"cannot tell where the instructions of {elf.path} begin", why=str(error)) from None
    begins = (int(address, 16) for address in _LINE.findall(done.stdout))
    return [address for address in begins if address <= last]

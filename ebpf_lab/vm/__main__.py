"""``./lab vm``: run a command in a virtual machine, passing back its output and exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import lima
from ebpf_lab.vm.arch import ARCHITECTURES
from ebpf_lab.vm.image import KERNELS
from ebpf_lab.vm.machine import DEFAULT_KERNEL, DEFAULT_MEMORY, Machine, TimeLimit

# As timeout(1) and the shell have them.
_TIMED_OUT = 124
_NO_MACHINE = 125
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the command's exit status."""
    parser = argparse.ArgumentParser(
        prog="lab vm",
        description="Run a command as root under a Debian kernel. It sees this machine's files, or for"
        " another architecture this project and programs of that architecture; what it writes is gone at the"
        " end. The exit status is the command's; 124 when the time limit stops it, 125 when the machine"
        " cannot be made or crashes.",
    )
    parser.add_argument("--kernel", choices=KERNELS, help=f"default {DEFAULT_KERNEL}")
    parser.add_argument(
        "--arch", choices=[each.machine for each in ARCHITECTURES], help="default: this machine's"
    )
    parser.add_argument(
        "--image",
        choices=lima.IMAGES,
        help="in place of a command: boot a whole Debian as Lima has it, provision and check it, reboot, and"
        " check it again (as root; 20 minutes, twice that for another architecture)",
    )
    parser.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="stop the command after this long"
    )
    parser.add_argument("--cpus", type=int, default=2, metavar="N", help="default %(default)s")
    parser.add_argument(
        "--memory", metavar="SIZE", help=f"default {DEFAULT_MEMORY}, for an image {lima.MEMORY}"
    )
    parser.add_argument(
        "--writable", action="append", default=[], metavar="DIR", help="a directory it may really write to"
    )
    parser.add_argument(
        "--network", action="store_true", help="let it reach this machine's services, at 10.0.2.2"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="and its arguments")
    parsed = parser.parse_args(arguments)
    command = parsed.command[1:] if parsed.command[:1] == ["--"] else parsed.command
    if parsed.image and (command or parsed.kernel or parsed.writable):
        parser.error("--image takes neither a command nor --kernel or --writable")
    if not command and not parsed.image:
        parser.error("which command? for example: lab vm -- uname -r")
    machine = Machine(
        kernel=parsed.kernel or DEFAULT_KERNEL,
        cpus=parsed.cpus,
        memory=parsed.memory or (lima.MEMORY if parsed.image else DEFAULT_MEMORY),
        arch=parsed.arch,
        network=parsed.network,
    )
    try:
        if parsed.image:
            return lima.check(parsed.image, machine, timeout=parsed.timeout)
        return machine.run(command, timeout=parsed.timeout, writable=parsed.writable)
    except VirtualMachineError as error:
        print(error.block(), file=sys.stderr)
        return _TIMED_OUT if isinstance(error, TimeLimit) else _NO_MACHINE
    except KeyboardInterrupt:
        return _INTERRUPTED


def _seconds(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a time of more than 0 s")
    return value


if __name__ == "__main__":
    sys.exit(main())

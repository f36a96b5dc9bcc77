"""``ebpf-lab``: the lab without a notebook."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from ebpf_lab import session
from ebpf_lab.errors import LabError
from ebpf_lab.host import doctor, listing
from ebpf_lab.source import snippets

_DEMO = "open_monitor_tracepoint.libbpf"
_DEMO_COMMAND = ["cat", "/etc/hostname", "/etc/os-release"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 for an error of the lab's, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="ebpf-lab", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    demo = verbs.add_parser("demo", help="trace the files that a command opens and print them")
    demo.add_argument("command", nargs="*", default=_DEMO_COMMAND, help="after --; %(default)s unless given")
    demo.set_defaults(run=_demo)

    check = verbs.add_parser("doctor", help="what this machine can do, and what mends what it cannot")
    check.set_defaults(run=_doctor)

    probes = verbs.add_parser("probes", help="list probes of this kernel")
    probes.add_argument("pattern", help="bpftrace syntax with *, such as 'tracepoint:syscalls:*open*'")
    probes.set_defaults(run=_probes)

    parsed = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = parsed.run
    try:
        return run(parsed)
    except LabError as error:
        print(error.block(), file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output is gone (as in `| head`): nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _demo(parsed: argparse.Namespace) -> int:
    trace = session.trace(snippets.load(_DEMO).text, command=parsed.command, only=True, output=_to_stderr)
    print(trace.header)
    print(trace.frame.to_string())
    return 0


def _to_stderr(chunk: bytes) -> None:
    # The command's own words stay apart from the table, which may be piped on.
    os.write(2, chunk)


def _doctor(parsed: argparse.Namespace) -> int:
    print(doctor.text(doctor.report()))
    return 0


def _probes(parsed: argparse.Namespace) -> int:
    for kind, name in listing.list_probes(parsed.pattern):
        print(f"{kind}:{name}")
    return 0

"""``ebpf-lab demo``: one trace, printed as a table."""

from __future__ import annotations

import argparse
import shlex
import sys

from ebpf_lab import session
from ebpf_lab.cli.common import Verbs, to_stderr
from ebpf_lab.source import snippets

_SNIPPET = "open_monitor.libbpf"
_COMMAND = ["cat", "/etc/hostname", "/etc/os-release"]


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("demo", help="trace the files that a command opens and print them")
    parser.usage = "ebpf-lab demo [-h] [-- COMMAND ...]"
    parser.set_defaults(run=_run, command=_COMMAND)


def _run(parsed: argparse.Namespace) -> int:
    print(
        f"{shlex.join(parsed.command)} prints this, and opens the files below:", file=sys.stderr, flush=True
    )
    trace = session.trace(snippets.load(_SNIPPET).text, command=parsed.command, only=True, output=to_stderr)
    print(trace.header)
    print(trace.frame.to_string())
    return 0

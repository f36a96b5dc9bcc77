"""``ebpf-lab probes``: what programs can be attached to."""

from __future__ import annotations

import argparse

from ebpf_lab.cli.common import Verbs
from ebpf_lab.host import listing


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("probes", help="list probes of this kernel")
    parser.add_argument("pattern", help="bpftrace syntax with *, such as 'tracepoint:syscalls:*open*'")
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    for kind, name in listing.list_probes(parsed.pattern):
        print(f"{kind}:{name}")
    return 0

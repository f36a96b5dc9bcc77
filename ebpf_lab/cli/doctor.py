"""``ebpf-lab doctor``: what this machine can do."""

from __future__ import annotations

import argparse

from ebpf_lab.cli.common import Verbs
from ebpf_lab.host import doctor


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("doctor", help="what this machine can do, and what mends what it cannot")
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    print(doctor.text(doctor.report()))
    return 0

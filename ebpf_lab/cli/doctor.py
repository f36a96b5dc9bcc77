"""``ebpf-lab doctor``: what this machine can do, and whether the course can run on it."""

from __future__ import annotations

import argparse
import json

from ebpf_lab.cli.common import Verbs
from ebpf_lab.host import doctor


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "doctor",
        help="what this machine can do, and what mends what it cannot",
        description="Try everything that the lab uses, and name what mends what does not work."
        " The exit status is 0 if the course can run here, else 1.",
    )
    parser.add_argument("--json", action="store_true", help="print it for programs")
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    found = doctor.report()
    judged = doctor.verdict(found)
    if parsed.json:
        print(json.dumps(doctor.as_data(found), indent=2))
    else:
        print(f"{doctor.text(found)}\n\n{judged.words}")
    return 0 if judged.course else 1

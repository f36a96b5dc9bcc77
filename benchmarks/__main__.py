"""Measure, print tables, and keep the figures.

Every measurement has the others that do the same beside it, in the same run.  The exit status is 1 when an
event is unaccounted for or a goal is missed, and 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from benchmarks import document, kept
from benchmarks.harness import QUICK, Effort, Measurement, table
from benchmarks.native import NotCompiled
from benchmarks.peers import CannotRun
from ebpf_lab.errors import LabError

MEASUREMENTS = {
    "ringbuf": ("delivery", "ring_buffer"),
    "sustained": ("delivery", "sustained"),
    "sizes": ("delivery", "sizes"),
    "perfbuf": ("delivery", "perf_buffer"),
    "decoded": ("delivery", "decoded"),
    "maps": ("maps", "maps"),
    "start": ("start", "start"),
    "probes": ("probes", "probes"),
    "strace": ("probes", "strace"),
    "memory": ("memory", "memory"),
    "background": ("background", "background"),
    "import": ("imports", "imports"),
}
"""By name, the module and the function.  A module is imported when it is needed: none pays for another's."""


def find(name: str) -> Measurement:
    """A measurement by its name."""
    module, function = MEASUREMENTS[name]
    found: Measurement = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="./lab bench",
        description="Measure how fast the lab is, beside what others use for the same.",
        epilog="./lab bench diagnose counts how many rejected programs are explained rightly.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; all of them")
    parser.add_argument("--rounds", type=int, default=Effort().rounds, help="values a side (%(default)s)")
    parser.add_argument(
        "--quick", action="store_true", help="few events and one round: does everything run? judges no speed"
    )
    parser.add_argument(
        "--write", action="store_true", help=f"make {document.PAGE.name} and its plots of all figures kept"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in MEASUREMENTS]:
        parser.error(f"there is no measurement {unknown[0]!r}: {', '.join(MEASUREMENTS)}")
    effort = QUICK if options.quick else Effort(rounds=options.rounds)
    good = True
    for name in options.names or MEASUREMENTS:
        good &= measure(name, effort)
    if options.write:
        document.write(kept.load(MEASUREMENTS))
    return 0 if good else 1


def measure(name: str, effort: Effort) -> bool:
    """Take one measurement, print and keep it, and say whether it is good."""
    results = []
    began = kept.moment()
    try:
        for result in find(name)(effort):
            results.append(result)
            print("\n".join(table(result, effort.judged)), flush=True)
    except LabError as error:
        print(f"{name}: {error.block()}", file=sys.stderr)
        return False
    except (NotCompiled, CannotRun) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False
    if effort.judged:
        kept.store(name, began, results)
    return all(result.good(effort.judged) for result in results)


if __name__ == "__main__":
    sys.exit(main())

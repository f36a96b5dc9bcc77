"""``ebpf-lab``: the lab without a notebook.

Each verb is a module here with one function for this one, ``add``, which names the verb, its arguments and
what runs it.  Standard output holds a verb's result alone; what else there is to say goes to standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from ebpf_lab.cli import demo, doctor, probes
from ebpf_lab.errors import LabError

_VERBS = (demo, doctor, probes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 for an error of the lab's, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="ebpf-lab", description="The eBPF lab without a notebook.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in _VERBS:
        verb.add(verbs)
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

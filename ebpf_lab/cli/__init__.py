"""``ebpf-lab``: the lab without a notebook.

Each verb is a module here with one function for this one, ``add``, which names the verb, its arguments and
what runs it.  A verb that takes a command finds it in ``command``: what stands behind ``--``, None without
one.  Standard output holds a verb's result alone; what else there is to say goes to standard error.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from ebpf_lab.cli import demo, doctor, kernels, lessons, probes, run, snippets, strace
from ebpf_lab.coloured import coloured
from ebpf_lab.errors import LabError, UsageProblem
from ebpf_lab.source.cell_line import Refused

_VERBS = (run, snippets, strace, demo, doctor, probes, kernels, lessons)

OK, FAILED, WRONG_USAGE = 0, 1, 2
"""Exit statuses; whoever ends a trace early, by Ctrl-C or by closing the pipe, has what they wanted: 0."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 for an error of the lab's, 2 for wrong usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    divider = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(prog="ebpf-lab", description="The eBPF lab without a notebook.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in _VERBS:
        verb.add(verbs)
    try:
        parsed = parser.parse_args(words[:divider])
        if divider < len(words):
            if "command" not in parsed:
                raise UsageProblem(f"ebpf-lab {parsed.verb} runs no command")
            parsed.command = words[divider + 1 :]
        run_verb: Callable[[argparse.Namespace], int] = parsed.run
        return run_verb(parsed)
    except Refused as refused:
        _tell(UsageProblem(refused.what, why=refused.why, hint=refused.hint))
        return WRONG_USAGE
    except LabError as error:
        _tell(error)
        return WRONG_USAGE if isinstance(error, UsageProblem) else FAILED
    except BrokenPipeError:
        # The reader of our output is gone (as in `| head`): nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _tell(error: LabError) -> None:
    in_colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    print(coloured(error) if in_colour else error.block(), file=sys.stderr)

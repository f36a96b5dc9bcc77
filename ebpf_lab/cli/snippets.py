"""``ebpf-lab snippets``: the example programs, and whether they load here and in other kernels."""

from __future__ import annotations

import argparse
import fnmatch
import json
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from ebpf_lab.backends import cache
from ebpf_lab.cli.common import Verbs
from ebpf_lab.cli.loading import Outcome, check
from ebpf_lab.errors import UsageProblem, VirtualMachineError
from ebpf_lab.host import features
from ebpf_lab.source import snippets
from ebpf_lab.source.snippets import Snippet
from ebpf_lab.source.words import did_you_mean
from ebpf_lab.vm import KERNELS, Machine

_MACHINES = ("6.1", "6.12")
"""Kernels in which both dialects work (see ``ebpf_lab/vm/image.py``)."""
_TIME_LIMIT = 3600
"""Seconds for one machine's programs: a bcc program compiles for up to half a minute in there."""


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "snippets",
        help="list the example programs, or --check that they load",
        description="List the example programs: what each teaches and needs, and whether it runs here.",
        epilog="Exit status: 1 when --check finds a program that should load and does not, or one that should"
        " be rejected and is not.",
    )
    parser.add_argument("pattern", nargs="*", help="only these, such as 'exec_*' or 'rejected/*'")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"compile and load each in this kernel and in those of {' and '.join(_MACHINES)} (many minutes)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--here", action="store_true", help="with --check: in this kernel alone")
    where.add_argument(
        "--kernel", action="append", choices=KERNELS, default=[], help="with --check: in this one alone"
    )
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    chosen = _chosen(parsed.pattern)
    if not parsed.check:
        if parsed.here or parsed.kernel:
            raise UsageProblem(
                "--here and --kernel say where to check", hint="ebpf-lab snippets --check --here"
            )
        print(_described(chosen) if parsed.json else _list(chosen, whole=bool(parsed.pattern)))
        return 0
    here = not parsed.kernel
    kernels = [] if parsed.here else parsed.kernel or _MACHINES

    def tell(kernel: str, outcome: Outcome) -> None:
        # As it comes: it takes minutes, and a machine's outcomes are passed on by its host.
        if parsed.json:
            print(json.dumps({"kernel": kernel, **asdict(outcome)}), flush=True)
        else:
            print(f"{kernel}: {outcome.name} {outcome.state}", file=sys.stderr)

    outcomes = _check(chosen, parsed.pattern, here, kernels, tell)
    if not parsed.json:
        print(_table([snippet.name for snippet in chosen], outcomes))
    return int(any(outcome.state == "FAILED" for found in outcomes.values() for outcome in found))


def _chosen(patterns: Sequence[str]) -> list[Snippet]:
    names = [name for folder in snippets.folders() for name in snippets.names(folder)]
    matching = [name for name in names if not patterns or any(_matches(name, each) for each in patterns)]
    if not matching:
        bare = dict.fromkeys(name.rpartition(".")[0] for name in names)
        raise UsageProblem(
            f"no snippet is called {' or '.join(patterns)}", hint=did_you_mean(patterns[0], bare)
        )
    return [snippets.load(name) for name in matching]


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name.rpartition(".")[0], pattern)


# The list


def _described(chosen: Sequence[Snippet]) -> str:
    lines = []
    for snippet in chosen:
        missing = features.missing(snippet.needs)
        described = {
            "name": snippet.name,
            "title": snippet.title,
            "teaches": snippet.teaches,
            "needs": list(snippet.needs),
            "must_be_rejected": snippet.rejection is not None,
            "runs_here": missing is None,
            "why_not": "" if missing is None else f"needs {missing.name}: {missing.reason}",
        }
        lines.append(json.dumps(described))
    return "\n".join(lines)


def _list(chosen: Sequence[Snippet], *, whole: bool) -> str:
    """One entry for both dialects; programs to be rejected are many, and only counted unless asked for."""
    entries: dict[str, list[Snippet]] = {}
    for snippet in chosen:
        if whole or snippet.rejection is None:
            entries.setdefault(snippet.name.rpartition(".")[0], []).append(snippet)
    parts = [_listed(name, dialects) for name, dialects in entries.items()]
    if rejected := 0 if whole else sum(snippet.rejection is not None for snippet in chosen):
        parts.append(f"and {rejected} that the verifier must reject: ebpf-lab snippets 'rejected/*'")
    return "\n".join(parts)


def _listed(name: str, dialects: Sequence[Snippet]) -> str:
    first = dialects[0]
    needs = {each.name.rpartition(".")[2]: each.needs for each in dialects}
    shared = [need for need in first.needs if all(need in own for own in needs.values())]
    own = [[need for need in each if need not in shared] for each in needs.values()]
    needed = [
        *shared,
        *(" + ".join(each) for each in own[:1]),
        *(f"or {' + '.join(each)}" for each in own[1:]),
    ]
    return "\n".join(
        [
            f"{name} ({', '.join(needs)}): {first.title}",
            f"    teaches    {first.teaches}",
            f"    needs      {', '.join(filter(None, needed))}",
            *(f"    {line}" for line in _runs_here(dialects)),
        ]
    )


def _runs_here(dialects: Sequence[Snippet]) -> list[str]:
    if dialects[0].rejection is not None:
        return ["runs here  never: the verifier must reject it"]
    answers: dict[str, list[str]] = {}
    for each in dialects:
        missing = features.missing(each.needs)
        answer = "yes" if missing is None else f"no, {missing.name}: {missing.reason}"
        answers.setdefault(answer, []).append(each.name.rpartition(".")[2])
    if len(answers) == 1:
        return [f"runs here  {next(iter(answers))}"]
    return [f"runs here  {', '.join(which)}: {answer}" for answer, which in answers.items()]


# The check


def _check(
    chosen: Sequence[Snippet],
    patterns: Sequence[str],
    here: bool,
    kernels: Sequence[str],
    tell: Callable[[str, Outcome], None],
) -> dict[str, list[Outcome]]:
    """Outcomes by kernel; this machine's programs load while the machines boot and compile."""
    with ThreadPoolExecutor(max(len(kernels), 1)) as pool:
        machines = {kernel: pool.submit(_check_in, kernel, patterns, tell) for kernel in kernels}
        outcomes = {}
        if here:
            this = platform.release()
            outcomes[this] = _told(map(check, chosen), lambda outcome: tell(this, outcome))
        for kernel, found in machines.items():
            outcomes[_name(kernel)] = found.result()
    return outcomes


def _told(outcomes: Iterable[Outcome], tell: Callable[[Outcome], None]) -> list[Outcome]:
    found = []
    for outcome in outcomes:
        tell(outcome)
        found.append(outcome)
    return found


def _name(kernel: str) -> str:
    return f"{kernel} (VM)"


def _check_in(kernel: str, patterns: Sequence[str], tell: Callable[[str, Outcome], None]) -> list[Outcome]:
    """Check in a virtual machine, by this same verb."""
    outcomes = _Outcomes(lambda outcome: tell(_name(kernel), outcome))
    verb = [sys.executable, "-m", "ebpf_lab.cli", "snippets", "--check", "--here", "--json", *patterns]
    # What is compiled in there is of use the next time, too.
    writable = [cache.root()]
    machine = Machine(kernel=kernel, memory="3G")
    environment = {"PYTHONPATH": ":".join(sys.path)}
    status = machine.run(verb, timeout=_TIME_LIMIT, stdout=outcomes, writable=writable, env=environment)
    if status not in (0, 1) or not outcomes.found:
        raise VirtualMachineError(f"the check under {kernel} ended with status {status}")
    return outcomes.found


class _Outcomes:
    """Reads the lines that a machine prints, as they come."""

    def __init__(self, tell: Callable[[Outcome], None]) -> None:
        self.found: list[Outcome] = []
        self._tell = tell
        self._rest = b""

    def write(self, data: bytes, /) -> int:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for row in map(json.loads, lines):
            self.found.append(Outcome(row["name"], row["state"], row["why"]))
            self._tell(self.found[-1])
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back but the beginning of a line."""


def _table(names: Sequence[str], outcomes: dict[str, list[Outcome]]) -> str:
    """Snippets by kernels; what is not loaded has the number of a line below that says why."""
    reasons: dict[str, int] = {}
    rows = [["", *outcomes]]
    found = {kernel: {outcome.name: outcome for outcome in each} for kernel, each in outcomes.items()}
    for name in names:
        row = [name]
        for kernel in outcomes:
            outcome = found[kernel][name]
            number = reasons.setdefault(outcome.why, len(reasons) + 1) if outcome.why else 0
            row.append(f"{outcome.state} ({number})" if number else outcome.state)
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "", *(f"({number}) {why}" for why, number in reasons.items())]).rstrip()

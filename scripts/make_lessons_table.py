#!/usr/bin/env python3
"""Make ``docs/lessons.md``: which lesson ran where, from the reports of tests that were run for it.

Every lesson is run here, and in a virtual machine with each of two Debian kernels; then its recordings are
replayed. All of it takes an hour and more on two processors, as root, most of it in the machines, whose
processors are emulated where there is no KVM::

    ./lab exec python scripts/make_lessons_table.py                          # all, and the table
    ./lab exec python scripts/make_lessons_table.py --run 6.12 --lesson 08   # one, the others as before
    ./lab exec python scripts/make_lessons_table.py --run                    # nothing again: the table alone

The reports stay in ``build/lessons``. A table with a failure in it is not written, nor one of a lesson whose
code has changed since: the page holds a digest of each, and a test compares them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ebpf_lab.lessons import catalogue

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.lesson_code import digest  # noqa: E402

PAGE, REPORTS = ROOT / "docs/lessons.md", ROOT / "build/lessons"
HERE, REPLAY, KERNELS = "here", "replay", ("6.1", "6.12")
RUNS = (HERE, *KERNELS, REPLAY)
LIVE_TEST, REPLAY_TEST = "test_lesson_runs", "test_lesson_is_replayed"
GUEST_SECONDS = 7200

HEAD = """\
# Where each lesson runs

Written by `scripts/make_lessons_table.py` from the reports of two tests: `tests/notebooks/test_lessons.py`
runs a lesson and its solutions in Jupyter on the kernel that is named, and `tests/notebooks/test_replay.py`
shows it from its recordings to a user without any right. Whoever changes a lesson runs the script again.

*Passed* is: each cell came to its end or to the error that the lesson is about, and what the lesson claims
held. Then: how many of its exercises' solutions passed their checks there, and the seconds that all of it
took. Machines with Debian's kernels are virtual, and emulated where there is no KVM, so their times say
little. *Recorded* is a live run, too: when the recordings were made, each cell that traces came on that
kernel to the end that the lesson says.

"""


@dataclass(frozen=True)
class Case:
    """What a test reported of a lesson.

    Attributes
    ----------
    kernel : str
        Release and architecture.
    passed : bool
    seconds : float
    exercises : str
        Solutions that passed, and how many there are, such as "2 of 3"; "" where none is run.
    without : dict of str to str
        Features that cells were without, and why.
    code : str
        Digest of what was run.
    """

    kernel: str
    passed: bool
    seconds: float
    exercises: str
    without: Mapping[str, str]
    code: str


def cases(reports: Sequence[Path], test: str) -> dict[str, Case]:
    """What reports say of each of a test's parameters, the last one of them that has it."""
    found = {}
    for case in (each for report in reports for each in ElementTree.parse(report).iter("testcase")):
        name, _, parameter = (case.get("name") or "").partition("[")
        if name != test:
            continue
        said = {each.get("name"): each.get("value") or "" for each in case.iter("property")}
        found[parameter.rstrip("]")] = Case(
            kernel=said.get("kernel", ""),
            passed=all(case.find(word) is None for word in ("failure", "error", "skipped")),
            seconds=float(case.get("time") or 0),
            exercises=said.get("exercises", ""),
            without=json.loads(said.get("without", "{}")),
            code=said.get("code", ""),
        )
    return found


def page(lessons: Mapping[str, str], live: Sequence[Mapping[str, Case]], replayed: Mapping[str, Case]) -> str:
    """The page as Markdown, of lessons by name, each with the digest of its code.

    Raises
    ------
    LookupError
        A report lacks a lesson.
    ValueError
        A lesson failed.
    """
    reasons: dict[str, None] = {}
    kernels = [column[lesson].kernel for column in live for lesson in [*lessons][:1]]
    recorded = sorted({name.rpartition("-")[2] for name in replayed}, reverse=True)
    head = [*kernels, *(f"recorded, {each}" for each in recorded if not kernels[0].endswith(f", {each}"))]
    head += [f"replay, {each}" for each in recorded]
    rows = [["lesson", *head], ["---"] * (len(head) + 1)]
    for lesson, code in lessons.items():
        for case in (
            *(column[lesson] for column in live),
            *(replayed[f"{lesson}-{each}"] for each in recorded),
        ):
            if case.code != code:
                raise ValueError(f"{lesson} was changed since it ran on {case.kernel}")
        row = [f"[{lesson}](../notebooks/{lesson}.ipynb)"]
        row += [_live(lesson, column[lesson], reasons) for column in live]
        shown = {each: replayed[f"{lesson}-{each}"] for each in recorded}
        row += [f"ran, {case.kernel}" for each, case in shown.items() if not kernels[0].endswith(f", {each}")]
        row += [_passed(lesson, case) for case in shown.values()]
        rows.append(row)
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    notes = "".join(f"- {reason}\n" for reason in reasons)
    ran = "".join(f"{lesson} {code}\n" for lesson, code in lessons.items())
    return "".join(
        [
            HEAD,
            table,
            f"\nWhat cells were without, as the lab's probes say it:\n\n{notes}" if notes else "",
            f"\n<!-- digests of what was run\n{ran}-->\n",
        ]
    )


def _live(lesson: str, case: Case, reasons: dict[str, None]) -> str:
    words = [_passed(lesson, case)]
    if case.exercises:
        words.append(f"exercises {case.exercises}")
    words.append(f"{case.seconds:.0f} s")
    if case.without:
        words.append(f"without {', '.join(sorted(case.without))}")
    for feature, reason in sorted(case.without.items()):
        reasons[f"`{feature}` on {case.kernel}: {reason}"] = None
    return "; ".join(words)


def _passed(lesson: str, case: Case) -> str:
    if not case.passed:
        raise ValueError(f"{lesson} did not pass on {case.kernel}")
    return "passed"


def reports(name: str) -> list[Path]:
    """A column's, the oldest first."""
    return sorted(REPORTS.glob(f"{name}_*.xml"), key=lambda path: path.stat().st_mtime)


def run(name: str, lessons: Sequence[str]) -> int:
    """Run the tests for a column, of some lessons if any are named, and return pytest's exit status."""
    test = "test_replay.py" if name == REPLAY else "test_lessons.py"
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={REPORTS / '_'.join([name, *(lessons or ['all'])])}.xml",
    ]
    chosen = f" and ({' or '.join(lessons)})" if lessons else ""
    tests += ["-k", f"({LIVE_TEST} or {REPLAY_TEST}){chosen}", f"tests/notebooks/{test}"]
    environment = dict(os.environ)
    if name in KERNELS:
        machine = [sys.executable, "-m", "ebpf_lab.vm", "--kernel", name, "--memory", "3G"]
        tests = [*machine, "--timeout", str(GUEST_SECONDS), "--writable", str(REPORTS), "--", *tests]
        environment["EBPF_LAB_IN_VM"] = name
    REPORTS.mkdir(parents=True, exist_ok=True)
    return subprocess.run(tests, cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    """Run what is asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", nargs="*", choices=RUNS, default=RUNS, help="default: all")
    parser.add_argument("--lesson", nargs="+", default=[], metavar="NAME", help="default: all")
    parsed = parser.parse_args()
    chosen = [catalogue.lesson(name).name for name in parsed.lesson]
    for name in parsed.run:
        print(f"== {name}", flush=True)
        if status := run(name, chosen):
            print(f"the lessons failed: {name}; {PAGE.name} stays as it was", file=sys.stderr)
            return status
    lessons = {lesson.name: digest(lesson.name) for lesson in catalogue.lessons()}
    live = [cases(reports(name), LIVE_TEST) for name in (HERE, *KERNELS)]
    try:
        made = page(lessons, live, cases(reports(REPLAY), REPLAY_TEST))
    except LookupError as error:
        print(f"a report has no lesson {error}: run it again", file=sys.stderr)
        return 1
    PAGE.write_text(made, encoding="utf-8")
    print(PAGE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())

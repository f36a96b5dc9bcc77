"""How often a rejected program's diagnosis names the right line and the right rule.

The logs are those that ``scripts/record_rejections.py`` recorded, so that this runs anywhere; the line is
marked in each program, and ``rules.txt`` beside the logs says which rule it breaks.  The programs of the
gallery were written to be rejected; those in ``tests/data/found`` came up: they are mistakes that somebody
made, from bug reports and from writing this project, shortened.

Run it by ``./lab bench diagnose``.  The exit status is 1 when a kernel's share is below ``--goal``.
"""

from __future__ import annotations

import argparse
import lzma
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ebpf_lab.backends import bcc_failure
from ebpf_lab.backends.bcc_process import LoadAnswer
from ebpf_lab.diagnose.verifier import Place, rejected
from ebpf_lab.errors import VerifierRejected
from ebpf_lab.source import snippets
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.rejection import Rejection
from ebpf_lab.source.snippets import Snippet
from ebpf_lab.source.spec import Dialect

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
GOAL = 0.95
KERNELS = ("6.1", "6.12", "6.18", "7.2")
GALLERY, FOUND = "verifier", "found"
TITLES = {GALLERY: "gallery", FOUND: "came up"}


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded rejection.

    Attributes
    ----------
    kernel, name : str
    text : str
        The program.
    rejection : Rejection
        Its line and the words it is rejected with.
    rule : str
        The rule that it breaks.
    log : str
    places : tuple of Place
        The object's line records.
    attach : dict
        Where its functions attach, if the text does not say.
    """

    kernel: str
    name: str
    text: str
    rejection: Rejection
    rule: str
    log: str
    places: tuple[Place, ...]
    attach: dict[str, str]

    def diagnosis(self) -> VerifierRejected:
        """What the lab says of it."""
        spec = analyse(self.text, attach=self.attach)
        (program,) = spec.programs
        if spec.dialect is Dialect.BCC:
            return bcc_failure.rejected(program, LoadAnswer(-1, 0, ""), self.log, self.places, spec)
        return rejected(
            self.log,
            function=program.function,
            text=self.text,
            files=("cell.c",),
            places=self.places,
            definition=program.line,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a diagnosis is right; ``wrong`` says what is not."""

    case: Case
    error: VerifierRejected
    seconds: float

    @property
    def wrong(self) -> str:
        """What is wrong with it, "" for nothing."""
        problems = [self.case.rejection.failure(self.error, self.case.kernel)]
        if self.error.rule != self.case.rule:
            problems.append(f"the rule is {self.error.rule!r}, not {self.case.rule!r}")
        return "; ".join(filter(None, problems))


def groups() -> list[str]:
    """What was recorded, as folders of ``tests/data``: the gallery on each kernel, what came up on each."""
    known = [f"{collection}/{kernel}" for collection in (GALLERY, FOUND) for kernel in KERNELS]
    return [group for group in known if any((DATA / group).glob("*.lines"))]


def golden(group: str) -> Path:
    """The file of the diagnoses that tests expect."""
    return DATA / group / "diagnoses.txt"


def programs(collection: str) -> list[Snippet]:
    """The rejected programs of the gallery, or those that came up."""
    if collection == GALLERY:
        return [snippets.load(name) for name in snippets.names("rejected")]
    paths = sorted((DATA / FOUND).glob("*.c"))
    return [snippets.parse(path.read_text(), path.stem) for path in paths]


def cases(group: str) -> list[Case]:
    """The recorded rejections of a group."""
    collection, _, kernel = group.partition("/")
    rules = dict(_rules((DATA / collection / "rules.txt").read_text(), kernel))
    found = []
    for snippet in programs(collection):
        stem = DATA / group / Path(snippet.name).name
        if Path(f"{stem}.lines").exists():
            found.append(_case(kernel, snippet, rules.get(stem.name, ""), stem))
    return found


def judge(cases: list[Case]) -> list[Verdict]:
    """Diagnose each, and compare."""
    verdicts = []
    for case in cases:
        start = time.perf_counter()
        error = case.diagnosis()
        verdicts.append(Verdict(case, error, time.perf_counter() - start))
    return verdicts


def share(verdicts: list[Verdict]) -> float:
    """The share of the verdicts that are right in line and rule."""
    return sum(not verdict.wrong for verdict in verdicts) / len(verdicts) if verdicts else 0.0


def written(verdicts: list[Verdict]) -> str:
    """The diagnoses as text, one after the other."""
    return "\n".join(f"# {each.case.name}: {each.error.rule}\n{each.error.block()}\n" for each in verdicts)


def _case(kernel: str, snippet: Snippet, rule: str, stem: Path) -> Case:
    assert snippet.rejection is not None
    log, places = _record(stem, snippet.text)
    return Case(kernel, stem.name, snippet.text, snippet.rejection, rule, log, places, dict(snippet.attach))


def _record(stem: Path, text: str) -> tuple[str, tuple[Place, ...]]:
    long = Path(f"{stem}.log.xz")
    log = lzma.decompress(long.read_bytes()).decode() if long.exists() else Path(f"{stem}.log").read_text()
    lines = text.splitlines()
    records = (map(int, entry.split()) for entry in Path(f"{stem}.lines").read_text().splitlines())
    return log, tuple(Place(number, line, column, lines[line - 1]) for number, line, column in records)


def _rules(text: str, kernel: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, _, rules = line.partition(" ")
        usual, *elsewhere = rules.split(";")
        others = (each.partition(":") for each in elsewhere)
        on = {version.strip(): rule.strip() for version, _, rule in others}
        if name and name != "#":
            yield name, on.get(kernel, usual.strip())


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="./lab bench diagnose", description=__doc__)
    parser.add_argument("--goal", type=float, default=GOAL, help="the least share of right ones (0.95)")
    parser.add_argument("--write", action="store_true", help="keep the diagnoses as those that tests expect")
    options = parser.parse_args()
    print(f"{'programs':<20} {'number':>6} {'line and rule':>14} {'slowest':>9}")
    missed = False
    for group in groups():
        verdicts = judge(cases(group))
        right = share(verdicts)
        missed |= right < options.goal
        if options.write:
            golden(group).write_text(written(verdicts))
        slowest = max((verdict.seconds for verdict in verdicts), default=0.0)
        collection, _, kernel = group.partition("/")
        title = f"{TITLES[collection]}, Linux {kernel}"
        print(f"{title:<20} {len(verdicts):>6} {right:>14.1%} {slowest:>7.2f} s")
        for verdict in verdicts:
            if verdict.wrong:
                print(f"  {verdict.case.name}: {verdict.wrong}")
    written_for_it, came_up = len(programs(GALLERY)), len(programs(FOUND))
    print(f"({written_for_it} programs in the gallery, and {came_up} came up by themselves;")
    print(f" each row at least {options.goal:.0%}; on Python {platform.python_version()})")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

"""A verifier's log, read from its end: the steps of its walk, and what it says is wrong.

The log is a walk through the program: ``; C line @ file:line``, then the instructions of that line with the
state that the verifier knows after each; the last of them is followed by what is wrong with it.  Kernels
before 6.10 print the C line only.  At level 2 there is much in between on how the verifier works, which is
passed over.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from ebpf_lab.diagnose.report import Report, cut_report

WINDOW = 2 << 20
"""Characters that are read of a log, from its end: some 20,000 steps."""
_PATH = 20_000  # steps of a path that are followed back
_LONGEST = 1 << 14  # characters of a line that are read: a state with a full stack is shorter

_END = re.compile(r"processed \d+ insns")
_NUMBERED = re.compile(r"(\d{1,9}): (.*)")
_STEP = re.compile(r"\([0-9a-f]{2}\) (?P<code>[^;]*)(?:;(?P<state>.*))?")
# At level 1 the state before the next step may follow in the same line.
_NEXT = re.compile(r"\s+\d{1,9}: (?=R\d|frame\d)")
_COMMENT = re.compile(r"; (?P<text>.*?)(?: @ (?P<file>[^\s@]+?):(?P<line>\d+)(?::(?P<column>\d+))?)?")
_JUMPED = re.compile(r"from (\d{1,9}) to \d{1,9}(?: \([^)]*\))?: ?(.*)")
_NOISE = ("mark_precise", "regs=", "last_idx", "parent ")
_FRAMES = ("caller:", "callee:", "to caller at ")
# What stands behind the last step besides the error: states, jumps, bookkeeping.
_PASSING = re.compile(
    r"\s|;|from \d|\d+: |func#|func '|arg#\d+ reference type|reg type unsupported for arg#|Validating "
    r"|cur state:|old state:|mark_precise|last_idx|regs=|parent |propagating|SCC |topo_order|subprog#"
    r"|stack use/def|Live regs|\(\d+\) |verification time |stack depth "
    r"|caller|callee|returning from|to caller|R\d+(?:_\w+)?=|frame\d"
)


@dataclass(frozen=True, slots=True)
class Comment:
    """A C line in the log; ``line`` is 0 where the kernel prints the text only."""

    text: str
    line: int = 0


@dataclass(slots=True)
class Step:
    """One instruction of the walk.

    Attributes
    ----------
    instruction : int
        Its number in the program.
    code : str
        As the log writes it: ``r0 += r6``.
    before, after : str
        States printed of the moments before and after it, "" for none.
    comment : Comment or None
        The C line that it belongs to.
    """

    instruction: int
    code: str
    before: str = ""
    after: str = ""
    comment: Comment | None = None


@dataclass(frozen=True, slots=True)
class Jump:
    """The walk goes back, and on from an earlier branch.

    Attributes
    ----------
    step : int
        The number of the step that comes next.
    origin : int
        The instruction that branched.
    ended : bool
        Nothing follows: what comes is known already.
    """

    step: int
    origin: int
    ended: bool


@dataclass(slots=True)
class Log:
    """What a log says.

    Attributes
    ----------
    error : str
        What is wrong, in the kernel's words; "" when the log does not say.
    remarks : list of str
        The lines that follow the error.
    steps : list of Step
        The walk, as far back as the log was read.
    jumps : list of Jump
    last : Comment or None
        The C line that was printed last.
    report : Report or None
        What kernels since 7.3 say in words of their own.
    """

    error: str = ""
    remarks: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    jumps: list[Jump] = field(default_factory=list)
    last: Comment | None = None
    report: Report | None = None


def is_complete(log: str) -> bool:
    """Whether the end of the log is there: a log that does not fit loses it on kernels before 6.4."""
    return any(_END.match(line) for line in log[-4096:].splitlines())


def read(log: str, files: Collection[str] = ()) -> Log:
    """Read a log, whatever its shape: a damaged one yields less, never an error.

    Parameters
    ----------
    log : str
        The log of one program.
    files : collection of str
        Base names of the learner's text; C lines of other files are passed over.
    """
    window = log[-WINDOW:]
    if len(log) > WINDOW:
        window = window.partition("\n")[2]
    window, report = cut_report(window)
    found = Log(report=report)
    messages = _walk(window.split("\n"), files, found)
    for line in messages:
        if _END.match(line):
            break
        if line and line.isascii() and line.isprintable() and not _PASSING.match(line):
            # The first line behind the last step is the most telling one: a summary may follow it.
            if found.error:
                found.remarks.append(line.strip())
            else:
                found.error = line.strip()
    return found


def _walk(lines: list[str], files: Collection[str], found: Log) -> list[str]:
    """Collect steps and jumps; the lines behind the last step are left."""
    comment: Comment | None = None
    pending, frames = "", False
    rest: list[str] = []
    steps, jumps = found.steps, found.jumps
    for whole in lines:
        if not whole:
            continue
        line = whole[:_LONGEST]
        first = line[:1]
        if first.isdecimal() and (match := _NUMBERED.match(line)):
            number, said = match[1], match[2]
            here, *behind = _NEXT.split(said, maxsplit=1)
            if step := _STEP.fullmatch(here):
                steps.append(Step(int(number), step["code"].rstrip(), pending, step["state"] or "", comment))
                pending = behind[0] if behind else ""
                rest.clear()
            elif said.startswith("<invalid "):
                # libbpf's words for what it could not relocate, in place of the instruction.
                steps.append(Step(int(number), said, pending, "", comment))
                pending = ""
                rest.clear()
            elif said[:1] in ("R", "f", " "):
                pending = f"{pending} {said}" if pending else said
        elif first == ";":
            comment = _comment(line, files) or comment
            rest.append(line)
        elif line.startswith("from ") and (jump := _JUMPED.match(line)):
            ended = jump[2].startswith("safe")
            jumps.append(Jump(len(steps), int(jump[1]), ended))
            pending = "" if ended else jump[2]
        elif frames and first == " ":
            pending = line
        elif not line.startswith(_NOISE):
            frames = line.startswith(_FRAMES)
            rest.append(line)
    found.last = comment
    return rest


def _comment(line: str, files: Collection[str]) -> Comment | None:
    match = _COMMENT.fullmatch(line)
    if match is None or (match["file"] and files and match["file"].rpartition("/")[2] not in files):
        return None
    text, number = match["text"].strip(), int((match["line"] or "0")[:9])
    # Line 0 is code that the compiler added.
    return Comment(text, number) if text and (number or match["file"] is None) else None


def last_path(log: Log, at: int) -> list[int]:
    """The steps that lead to the one numbered ``at``, in the order of the program's run.

    The walk takes one side of a branch to its end before it comes back for the other, so that what it did
    last is a stack: a jump from an instruction continues the latest visit there from which none has yet.
    """
    steps = log.steps
    path: list[int] = []
    arrivals: dict[int, list[Jump]] = {}
    for jump in log.jumps:
        arrivals.setdefault(jump.step, []).append(jump)
    while 0 <= at < len(steps) and len(path) < _PATH:
        path.append(at)
        came = next((each for each in reversed(arrivals.get(at, ())) if not each.ended), None)
        at = at - 1 if came is None else _left(log, arrivals, at, came)
    path.reverse()
    return path


def _left(log: Log, arrivals: dict[int, list[Jump]], at: int, jump: Jump) -> int:
    taken = sum(each.origin == jump.origin for each in arrivals[at] if each is not jump)
    for earlier in range(at - 1, -1, -1):
        if log.steps[earlier].instruction == jump.origin:
            if not taken:
                return earlier
            taken -= 1
        taken += sum(each.origin == jump.origin for each in arrivals.get(earlier, ()))
    return -1

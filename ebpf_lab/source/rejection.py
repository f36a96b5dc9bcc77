"""What the verifier must say of a program that it is to reject, as plain data.

The words are one alternative a line; any one of them must be part of the error.  A line may begin with a
kernel version: that kernel says this and nothing else.  ``accepted`` stands for a program that the kernel
takes, as newer ones take what older ones rejected.  The C line that the error is about ends in the comment
``// <- rejected here``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ebpf_lab.errors import LabError, UsageProblem, VerifierRejected

ACCEPTED = "accepted"
"""In place of words: the kernel takes the program."""

_LINE = re.compile(r"(?:(?P<kernel>\d+\.\d+): +)?(?P<words>\S.*)")
_HERE = re.compile(r"// <- rejected here\s*$")
_VERSION = re.compile(r"\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Words:
    """One alternative: what the verifier says, and on which kernel ("6.1"; "" for any)."""

    words: str
    kernel: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """How a program is to be rejected.

    Attributes
    ----------
    words : tuple of Words
    line : int
        The C line that the error must be about.
    """

    words: tuple[Words, ...]
    line: int

    def on(self, kernel: str) -> tuple[str, ...]:
        """The alternatives that are known of a kernel: those marked with its version, else the unmarked ones.

        Parameters
        ----------
        kernel : str
            Its release, as ``uname -r`` gives it.
        """
        return self._marked(kernel) or self._marked("")

    def _marked(self, kernel: str) -> tuple[str, ...]:
        version = _VERSION.match(kernel)
        return tuple(each.words for each in self.words if each.kernel == (version[0] if version else ""))

    def failure(self, error: LabError | None, kernel: str) -> str:
        """Why a program was not rejected as it must be, "" when it was.

        Parameters
        ----------
        error : LabError or None
            What loading it raised, None when the kernel took it.
        kernel : str
            The kernel's release.
        """
        # A kernel that is not marked may be as old, or as new, as one that is.
        words = self._marked(kernel) or tuple(each.words for each in self.words)
        if error is None:
            return "" if ACCEPTED in words else f"it is accepted, not rejected with {_either(words)}"
        if not isinstance(error, VerifierRejected):
            return f"not the verifier refused it: {type(error).__name__}: {error.what}"
        if not any(each in error.what for each in words if each != ACCEPTED):
            return f"it is rejected with {error.what!r}, not {_either(words)}"
        line = error.where[-1].line if error.where else 0
        if line != self.line:
            return f"the error is about line {line}, and line {self.line} is marked"
        return ""


def parse_rejection(words: str, text: str) -> Rejection:
    """Read the lines of ``expect-reject``, and find the marked line of the whole text.

    Raises
    ------
    UsageProblem
        There are no words, or not one line alone is marked.
    """
    alternatives = tuple(
        Words(match["words"].rstrip(), match["kernel"] or "")
        for match in map(_LINE.fullmatch, map(str.strip, words.splitlines()))
        if match
    )
    marked = [number for number, line in enumerate(text.splitlines(), 1) if _HERE.search(line)]
    if not alternatives:
        raise UsageProblem("expect-reject has no words", hint="words of the verifier's error")
    if len(marked) != 1:
        raise UsageProblem(f"{len(marked)} lines are marked as rejected", hint="// <- rejected here")
    return Rejection(alternatives, marked[0])


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(repr(each) for each in words)

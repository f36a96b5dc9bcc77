"""The answer to "can this machine do it?"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """Whether a feature is there; "unknown" means that trying it was not conclusive."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that this machine can or cannot do.

    Attributes
    ----------
    name : str
    answer : Answer
    reason : str
        What was found out, and how; of a "yes" a detail worth knowing, or "".
    remedy : str
        What to do about it, "" for nothing.
    errno : int
        What the kernel answered, 0 where it was not asked or agreed.
    """

    name: str
    answer: Answer
    reason: str = ""
    remedy: str = ""
    errno: int = 0


class Lacking(Exception):
    """Raised by a probe that found the feature missing.

    Parameters
    ----------
    reason, remedy : str
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Undecided(Lacking):
    """Raised by a probe that could not be tried; the reason says why."""

"""What a learner has tried and done, in a file beside the notebooks."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ebpf_lab.errors import UsageProblem

FILE = ".ebpf-lab-progress.json"
"""In the notebook's directory: the one place that a kernel in a virtual machine may write to, too."""


@dataclass(slots=True)
class Record:
    """One exercise: how often it was tried without success, and whether it was done."""

    attempts: int = 0
    done: bool = False


class Progress:
    """The records of a directory, read from its file and written to it after each change.

    Parameters
    ----------
    directory : Path
        The notebooks'.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE

    def of(self, lesson: str, exercise: str) -> Record:
        """The record of an exercise, a new one if it was never tried."""
        return self._read().get(lesson, {}).get(exercise, Record())

    def keep(self, lesson: str, exercise: str, record: Record) -> None:
        """Keep the record of an exercise.

        Raises
        ------
        UsageProblem
            The file is damaged, or cannot be written.
        """
        known = self._read()
        known.setdefault(lesson, {})[exercise] = record
        plain = {name: {each: asdict(kept) for each, kept in own.items()} for name, own in known.items()}
        new = self._path.with_name(f"{FILE}.{os.getpid()}")
        try:
            new.write_text(json.dumps(plain, indent=1) + "\n")
            new.replace(self._path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise UsageProblem(f"progress cannot be kept in {self._path}", why=str(error)) from error

    def reset(self) -> None:
        """Forget everything."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, dict[str, Record]]:
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return {}
        try:
            return {
                str(lesson): {
                    str(name): Record(int(kept["attempts"]), bool(kept["done"])) for name, kept in own.items()
                }
                for lesson, own in json.loads(text).items()
            }
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageProblem(
                f"{self._path} is damaged", why=str(error), hint="%lab reset forgets all progress"
            ) from error

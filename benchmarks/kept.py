"""Figures as JSON, a file a measurement, with what they were measured on."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.harness import Goal, Result, Series
from benchmarks.native import BUILD


@dataclass(frozen=True, slots=True)
class Moment:
    """When and on what.

    Attributes
    ----------
    date : str
        Day and time, UTC.
    load : float
        Processes that wanted a processor in the minute before, others' included.
    machine : str
        Processor, their number, memory.
    versions : dict
        Of the kernel and of what was compared.
    """

    date: str
    load: float
    machine: str
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """One measurement's results."""

    moment: Moment
    results: tuple[Result, ...]


def moment() -> Moment:
    """Now, here."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return Moment(
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"),
        load=round(os.getloadavg()[0], 1),
        machine=f"{_processor()}, {os.cpu_count()} processors, {memory:.0f} GiB",
        versions={
            "Linux": platform.release(),
            "Python": platform.python_version(),
            "NumPy": importlib.metadata.version("numpy"),
            "pandas": importlib.metadata.version("pandas"),
            "bcc": _version("dpkg-query", "-W", "-f", "${Version}", "python3-bpfcc"),
            "libbpf": _version("dpkg-query", "-W", "-f", "${Version}", "libbpf1"),
            "bpftrace": _version("bpftrace", "--version"),
            "clang": _version("clang", "--version"),
        },
    )


def store(name: str, when: Moment, results: Sequence[Result]) -> None:
    """Keep what a measurement found."""
    BUILD.mkdir(parents=True, exist_ok=True)
    kept = {"moment": asdict(when), "results": [asdict(each) for each in results]}
    (BUILD / f"{name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def load(names: Iterable[str]) -> dict[str, Kept]:
    """What is kept of these measurements, in this order."""
    found = {}
    for name in names:
        path = BUILD / f"{name}.json"
        if path.exists():
            kept = json.loads(path.read_text())
            found[name] = Kept(Moment(**kept["moment"]), tuple(map(_result, kept["results"])))
    return found


def _result(kept: dict[str, object]) -> Result:
    series = tuple(Series(each["side"], tuple(each["values"])) for each in kept.pop("series"))
    goals = tuple(Goal(**each) for each in kept.pop("goals"))
    return Result(**kept | {"series": series, "goals": goals, "notes": tuple(kept["notes"])})


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:\s*(.+)$", info.read_text() if info.exists() else "", re.MULTILINE)
    return named[1] if named else platform.machine()


def _version(*command: str) -> str:
    """The first version in what a command prints, "none" without it."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return "none"
    found = re.search(r"(?:\d:)?v?(\d+(?:\.\d+)+)", said)
    return found[1] if found else "none"

"""``ebpf-lab strace``: every system call of a command, as it returns."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pandas as pd

from ebpf_lab import session
from ebpf_lab.cli.common import Verbs
from ebpf_lab.cli.formats import FORMATS, Writer
from ebpf_lab.cli.live import Signals, check_reader, portions
from ebpf_lab.command import Command
from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.calls.choice import SETS, chosen
from ebpf_lab.frame.decoders import machine
from ebpf_lab.host import features
from ebpf_lab.session import Trace
from ebpf_lab.source import snippets

_SNIPPET, _STREAM = "syscall_trace", "events.call"
_LONGEST_DATA = 4096
_RESULT_AT = 40

_DESCRIPTION = """
Run COMMAND, and print each system call of it, its threads and its children, when it returns. What COMMAND
prints goes to standard error, or with -o where it always does. Ctrl-C goes to COMMAND; a second one ends all.
"""
_EPILOG = """
A last line counts the calls and what was lost. The trace ends when COMMAND does, also where it leaves
processes behind. Exit status: that of COMMAND, or 128 and the number of the signal that ended it.
"""


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "strace", help="print the system calls of a command", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.usage = "ebpf-lab strace [OPTION ...] -- COMMAND ..."
    parser.add_argument("-t", metavar="SECONDS", type=float, help="end COMMAND after so long")
    parser.add_argument(
        "-e",
        metavar="CALLS",
        help=f"print these calls alone: names with commas, * and ! for others; {', '.join(SETS)}".replace(
            "%", "%%"
        ),
    )
    parser.add_argument(
        "-s",
        metavar="BYTES",
        type=int,
        default=32,
        help="show so much of what is read and written (%(default)s)",
    )
    parser.add_argument("-T", dest="durations", action="store_true", help="show the time spent in each call")
    parser.add_argument("-o", metavar="FILE", type=Path, help="print to a file")
    form = parser.add_mutually_exclusive_group()
    for name in ("json", "csv"):
        form.add_argument(
            f"--{name}", dest="form", action="store_const", const=name, help=f"print {name.upper()}"
        )
    parser.set_defaults(run=_run, command=None, form="text")


def _run(parsed: argparse.Namespace) -> int:
    if not parsed.command:
        raise UsageProblem("ebpf-lab strace: no command given", hint="ebpf-lab strace -- ls /etc")
    if not 0 <= parsed.s <= _LONGEST_DATA:
        raise UsageProblem(f"-s {parsed.s}: 0 to {_LONGEST_DATA} bytes can be shown")
    wanted = chosen(parsed.e, machine()) if parsed.e else None
    snippet = snippets.load(_SNIPPET, lambda each: features.missing(each.needs) is None)
    command = Command(parsed.command, interactive=True, all_to_stderr=parsed.o is None)
    trace = session.prepare(
        snippet.text, seconds=parsed.t, command=command, set={"data_size": parsed.s}, attach=snippet.attach
    )
    with Signals() as signals, _opened(parsed.o) as out:
        writer = (
            _Lines(out, durations=parsed.durations) if parsed.form == "text" else FORMATS[parsed.form](out)
        )
        calls = _follow(trace, command, signals, out, writer, wanted)
        writer.close()
    print(_summary(trace, calls), file=sys.stderr)
    status = trace.command_status or 0
    return 128 - status if status < 0 else status


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise UsageProblem(f"-o {path}: {error.strerror}") from error
    with file:
        yield file


def _follow(
    trace: Trace,
    command: Command,
    signals: Signals,
    out: TextIO,
    writer: Writer,
    wanted: frozenset[str] | None,
) -> int:
    """Write the calls until the trace ends; return how many there were, written or not."""
    count = 0

    def write(frames: dict[str, pd.DataFrame]) -> None:
        nonlocal count
        frame = frames[_STREAM]
        count += len(frame)
        writer.write(frame if wanted is None else frame[frame["nr_name"].isin(wanted)])

    passed_on = False
    with trace:
        signals.patient = True
        for frames in portions(trace):
            write(frames)
            check_reader(out)
            if signals.asked and not passed_on:
                command.signal(signals.asked)
                passed_on = True
    write(trace.take())
    return count


class _Lines:
    """Calls in strace's form, their results below each other."""

    def __init__(self, out: TextIO, *, durations: bool) -> None:
        self._out = out
        self._durations = durations

    def write(self, frame: pd.DataFrame) -> None:
        """Write all rows."""
        lines = []
        columns = (
            frame["tid"].tolist(),
            frame["call"].tolist(),
            frame["duration_ns"].dt.total_seconds().tolist(),
        )
        for thread, call, seconds in zip(*columns, strict=True):
            text, _, result = call.rpartition(") = ")
            begin = f"{text}) "
            lasted = f" <{seconds:.6f}>" if self._durations else ""
            lines.append(f"[pid {thread}] {begin:<{_RESULT_AT}}= {result}{lasted}\n")
        self._out.write("".join(lines))
        self._out.flush()

    def close(self) -> None:
        """Nothing is left to write."""


def _summary(trace: Trace, calls: int) -> str:
    stats = trace.stats
    lost = sum(stream.dropped + stream.not_kept for stream in stats.streams.values())
    failed = {words: number for words, number in (stats.failures or {}).items() if number}
    parts = [f"{calls:,} calls", f"{lost:,} LOST: the kernel's buffer was full" if lost else "0 lost"]
    parts += [f"{number:,} {words}" for words, number in failed.items()]
    return f"ebpf-lab strace: {', '.join(parts)}"

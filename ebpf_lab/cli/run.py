"""``ebpf-lab run``: a snippet, or a C file, at work; its events as they come."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from ebpf_lab import session, warned
from ebpf_lab.cli.common import Verbs, to_stderr
from ebpf_lab.cli.formats import FORMATS, Writer
from ebpf_lab.cli.live import Signals, check_reader, portions
from ebpf_lab.errors import UsageProblem
from ebpf_lab.failures import FAILURES
from ebpf_lab.host import features
from ebpf_lab.preparation import prepared
from ebpf_lab.recordings.files import load
from ebpf_lab.recordings.model import normal
from ebpf_lab.session import Trace
from ebpf_lab.source import options, snippets
from ebpf_lab.source.snippets import Snippet
from ebpf_lab.source.words import did_you_mean, listing

_DESCRIPTION = """
Attach a program and print its events as they come, one line each; of a program that only counts, its maps at
the end. It ends by -t, -n, the end of COMMAND or Ctrl-C, whichever is first, and detaches. What COMMAND
prints goes to standard error, and so does a line that counts everything, lost events included.
"""
_FORMAT = """
Times are seconds since the trace began, addresses and bytes hexadecimal. In JSON what is missing is null, in
CSV nothing. In Parquet times are durations in nanoseconds, addresses unsigned integers, bytes binary.
Exit status: 0 when the trace ended as above or because its reader closed the pipe, 1 when it failed, 2 for
wrong usage. The status of COMMAND is told and not passed on.
"""


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "run",
        help="run a snippet and print its events as they come",
        description=_DESCRIPTION,
        epilog=_FORMAT,
    )
    parser.usage = "ebpf-lab run NAME|FILE.c [OPTION ...] [-- COMMAND ...]"
    parser.add_argument("program", metavar="NAME", help="a snippet (ebpf-lab snippets), or a C file")
    options.add_to(parser)
    parser.add_argument("--stream", metavar="NAME", help="print this stream or map, not the main one")
    form = parser.add_mutually_exclusive_group()
    for name in ("json", "csv"):
        words = f"print {name.upper()}" + (", one object a line" if name == "json" else "")
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=words)
    form.add_argument("--parquet", metavar="FILE", type=Path, help="write a Parquet file, and print nothing")
    parser.set_defaults(run=_run, command=None, form="text")


def _run(parsed: argparse.Namespace) -> int:
    given = options.given_on(parsed)
    snippet, text, name = _program(parsed.program, given.replay)
    wanted = parsed.stream or (snippet.source if snippet else "")
    trace = session.prepare(
        text,
        seconds=given.seconds,
        events=given.events,
        command=given.command,
        attach={**(snippet.attach if snippet else {}), **given.attach},
        set=given.settings,
        only=given.only,
        backend=given.backend or (snippet.backend if snippet else None),
        event=given.stream_types,
        keep=given.keep,
        output=to_stderr,
        record=given.record or None,
        replay=given.replay or None,
        pace=given.pace,
    )
    with (
        Signals() as signals,
        # A recording needs nothing around it: it was there when it was made.
        prepared(snippet) if snippet and not given.replay else contextlib.nullcontext(),
        _writer(parsed) as writer,
    ):
        _follow(trace, writer, wanted, f"{name} is {'replayed' if given.replay else 'attached'}", signals)
    results = trace.results()
    for line in (results.header, *results.notes, *_not_shown(trace, wanted)):
        print(line, file=sys.stderr)
    if trace.warnings:
        print(warned.words(trace.warnings), file=sys.stderr)
    if trace.command_status:
        print(f"the command ended with status {trace.command_status}", file=sys.stderr)
    return 0


def _program(name: str, replay: str) -> tuple[Snippet | None, str, str]:
    """The snippet meant, in the dialect that was recorded if it is replayed, its C text, and its name."""
    if name.endswith(".c") and Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
        try:
            return snippets.parse(text, name), text, name
        except UsageProblem:
            return None, text, name  # a program needs no header
    snippet = snippets.load(name, _recorded(replay) if replay else _runs_here)
    return snippet, snippet.text, snippet.name


def _runs_here(snippet: Snippet) -> bool:
    return features.missing(snippet.needs) is None


def _recorded(replay: str) -> Callable[[Snippet], bool]:
    file = Path(replay)
    if file.is_dir():
        return lambda each: True
    recorded = normal(load(file).text)
    return lambda each: normal(each.text) == recorded


def _follow(trace: Trace, writer: Writer, wanted: str, begun: str, signals: Signals) -> None:
    """Write what comes until the trace ends, and detach whatever happens."""
    with trace:
        signals.patient = True
        print(begun, file=sys.stderr)
        for frames in portions(trace, lambda: signals.asked):
            _write(frames, trace, writer, wanted)
            check_reader(sys.stdout)
    _write(trace.take(), trace, writer, wanted)
    if wanted in trace.maps:
        writer.write(trace.maps[wanted])
    elif not trace.spec.streams:
        writer.write(trace.frame)


def _write(frames: Mapping[str, pd.DataFrame], trace: Trace, writer: Writer, wanted: str) -> None:
    if not wanted:
        for frame in list(frames.values())[:1]:
            writer.write(frame)
        return
    if wanted in frames:
        writer.write(frames[wanted])
        return
    known = [*frames, *(each.name for each in trace.spec.maps)]
    if wanted not in known:
        raise UsageProblem(
            f"there is no stream {wanted}",
            why=f"this program has {listing(dict.fromkeys(known))}" if known else "this program has none",
            hint=did_you_mean(wanted, known),
        )


def _not_shown(trace: Trace, wanted: str) -> Iterator[str]:
    """A line about what else there is to see: streams, or without any the maps."""
    names = [*(trace.frames or trace.maps)]
    shown = wanted or trace.results().main_name
    others = [name for name in names if name != shown and name not in (FAILURES, wanted)]
    if others:
        yield f"not shown: {listing(others)}; --stream NAME shows one"


@contextlib.contextmanager
def _writer(parsed: argparse.Namespace) -> Iterator[Writer]:
    if parsed.parquet is None:
        writer = FORMATS[parsed.form](sys.stdout)
        yield writer
        writer.close()
        return
    # Slow to import, and needed here alone.
    from ebpf_lab.cli.parquet import ParquetFile

    file = ParquetFile(parsed.parquet)
    try:
        yield file
        file.close()
    finally:
        file.discard()

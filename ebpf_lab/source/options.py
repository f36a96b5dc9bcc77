"""The options of a ``%%bpf`` cell, and those of the command line that are the same.

One table, :data:`OPTIONS`, says what there is: the parsers, the help text and completion come from it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ebpf_lab.source import option_values as value
from ebpf_lab.source.cell_line import MAGIC, Refused, Word, refuse, split_line
from ebpf_lab.source.spec import Dialect
from ebpf_lab.source.words import did_you_mean

DEFAULT_SECONDS = 5.0
"""How long a trace runs that nothing else ends."""


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What a cell's first line asks for.

    Attributes
    ----------
    output : str
        Variable to bind the result to, "" for none.
    seconds, events : float or None, int or None
        When the trace ends; both None when its command, or the user, ends it.
    background : bool
        The cell returns at once and the trace goes on.
    live : bool
        Events are shown as they come.
    attach, settings, stream_types : dict
        Probe by function, value by name, event type by stream.
    only : bool
        Only events of the command and its descendants.
    backend : Dialect or None
    keep : int
        Bytes of events to keep.
    record, replay : str
        File that keeps the trace, file whose trace is shown; "" for none.
    pace : float or None
        How many times as fast as it was a recording runs.
    hosts : tuple of str
        The hosts to run it on, ``("all",)`` for all that there are; empty for this one alone.
    hot : bool
        See which lines the time goes to.
    command : tuple of str or None
        Program and arguments.
    """

    output: str = ""
    seconds: float | None = None
    events: int | None = None
    background: bool = False
    live: bool = False
    attach: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    stream_types: dict[str, str] = field(default_factory=dict)
    only: bool = False
    backend: Dialect | None = None
    keep: int = 512 << 20
    record: str = ""
    replay: str = ""
    pace: float | None = None
    hosts: tuple[str, ...] = ()
    hot: bool = False
    command: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its flag, the field of :class:`CellOptions` it sets, and what its value is called.

    ``convert`` checks a value and returns it, and is None for a flag that takes none.  ``default`` says what
    a cell does without it, where that is not nothing, and ``cell_only`` is set where the option makes no
    sense on a command line.
    """

    flag: str
    field: str
    metavar: str
    help: str
    convert: Callable[..., Any] | None
    default: str = ""
    cell_only: bool = False

    @property
    def pairs(self) -> bool:
        """The value is NAME=VALUE, and the option may be repeated; ``convert`` takes both parts."""
        return "=" in self.metavar

    def __str__(self) -> str:
        """The option as the grammar shows it."""
        return f"{self.flag} {self.metavar}".rstrip()


OPTIONS = (
    Option("-o", "output", "NAME", "bind the result to this variable", value.variable_name, cell_only=True),
    Option(
        "-t",
        "seconds",
        "SECONDS",
        "end after so long",
        value.seconds,
        f", {DEFAULT_SECONDS:g} if nothing else ends it",
    ),
    Option("-n", "events", "EVENTS", "end after so many events of the main stream", value.events),
    Option("--bg", "background", "", "go on in the background, until %bpf stop", None, cell_only=True),
    Option("--live", "live", "", "show events as they come, with Stop and Pause", None, cell_only=True),
    Option(
        "--attach",
        "attach",
        "FN=PROBE",
        "attach function FN to PROBE (tracepoint:sched:sched_switch)",
        value.probe,
    ),
    Option("--set", "settings", "NAME=VALUE", "give a variable or macro of the C this value", value.setting),
    Option("--event", "stream_types", "STREAM=STRUCT", "events of STREAM are of this type", value.event_type),
    Option(
        "--backend", "backend", "bcc|libbpf", "the dialect, if not what the text looks like", value.dialect
    ),
    Option("--only", "only", "", "keep only events of COMMAND and its descendants", None),
    Option("--keep", "keep", "SIZE", "keep at most so many bytes of events (512MiB)", value.size),
    Option("--record", "record", "FILE", "keep the trace in FILE, to be replayed on any machine", value.file),
    Option("--replay", "replay", "FILE", "show the trace in FILE, which must be this program's", value.file),
    Option("--hot", "hot", "", "see which lines the time goes to, for %bpf inside", None, cell_only=True),
    Option("--pace", "pace", "FACTOR", "replay so many times as fast as it was, not at once", value.pace),
    Option(
        "--on",
        "hosts",
        "HOSTS",
        "run it on hosts at once: web1,web2 or all (%bpf hosts lists them)",
        value.hosts,
        cell_only=True,
    ),
)
"""Every option of the cell."""

_NOT_ON_HOSTS = {
    "background": ("--bg", "with hosts, the cell waits until the trace has ended on all of them"),
    "live": ("--live", "a live view is of a trace on this machine"),
    "record": ("--record", "a recording is of one kernel"),
    "replay": ("--replay", "a recording is replayed here"),
    "hot": ("--hot", "%bpf inside is about programs of this host"),
}
"""What a cell that runs on hosts cannot have, and why."""


def usage() -> str:
    """The grammar of a cell's first line, and what each option does."""
    width = max(len(str(option)) for option in OPTIONS)
    lines = [f"{MAGIC} [OPTION …] [-- COMMAND …]", ""]
    lines += [f"  {str(option).ljust(width)}  {option.help}{option.default}" for option in OPTIONS]
    lines += [
        f"  {'-- COMMAND …'.ljust(width)}  attach, run this command, and stop when it ends",
        "",
        "What ends a trace first counts; an interrupt ends it too and keeps what came so far.",
    ]
    return "\n".join(lines)


def parse_cell(line: str) -> CellOptions:
    """Read what stands behind ``%%bpf``.

    Raises
    ------
    UsageProblem
        The line is wrong; the mark (line 0) is under the word at fault.

    Examples
    --------
    >>> parse_cell("-o opens -n 10 -- cat /etc/hostname").command
    ('cat', '/etc/hostname')
    >>> parse_cell("").seconds
    5.0
    """
    words = split_line(line)
    divider = next((index for index, word in enumerate(words) if word.raw == "--"), len(words))
    given, command = words[:divider], words[divider + 1 :]
    try:
        chosen = _parse(given)
        if divider < len(words):
            if not command:
                hint = "for instance -- cat /etc/hostname"
                raise Refused(words[divider], "no command stands behind --", hint=hint)
            chosen["command"] = tuple(map(str, command))
        _check(given, chosen)
    except Refused as problem:
        refuse(line, words, problem)
    if not chosen.keys() & {"seconds", "events", "background", "command"}:
        chosen["seconds"] = DEFAULT_SECONDS
    return CellOptions(**chosen)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # Without this argparse prints to stderr and leaves the process.
        raise argparse.ArgumentError(None, message)


def _parse(words: Sequence[Word]) -> dict[str, Any]:
    parser = _Parser(prog=MAGIC, add_help=False, allow_abbrev=False, exit_on_error=False)
    for option in OPTIONS:
        _add(parser, option)
    _refuse_slips(words)
    try:
        namespace, rest = parser.parse_known_args(list(words))
    except argparse.ArgumentError as error:
        raise _incomplete(words, error) from None
    if rest:
        raise _unknown(rest[0])
    return _with_dictionaries(vars(namespace))


def add_to(parser: argparse.ArgumentParser) -> None:
    """Give the parser of a command line the options that make sense there."""
    for option in OPTIONS:
        if not option.cell_only:
            _add(parser, option)


def given_on(parsed: argparse.Namespace) -> CellOptions:
    """What the options of :func:`add_to`, and ``command``, were given on a command line.

    Raises
    ------
    Refused
        A value is wrong, as when parsing.
    """
    fields = {option.field for option in OPTIONS if not option.cell_only} | {"command"}
    given = {name: value for name, value in vars(parsed).items() if name in fields and value is not None}
    return CellOptions(**_with_dictionaries(given))


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    keywords: dict[str, Any] = {"dest": option.field, "default": argparse.SUPPRESS, "help": option.help}
    if option.convert is None:
        keywords["action"] = "store_true"
    elif option.pairs:
        keywords |= {"action": "append", "type": _pair(option), "metavar": option.metavar}
    else:
        keywords |= {"type": option.convert, "metavar": option.metavar}
    parser.add_argument(option.flag, **keywords)


def _with_dictionaries(given: dict[str, Any]) -> dict[str, Any]:
    pairs = {option.field for option in OPTIONS if option.pairs}
    return {name: _dictionary(value) if name in pairs else value for name, value in given.items()}


def _pair(option: Option) -> Callable[[str], tuple[str, str, str]]:
    def convert(text: str) -> tuple[str, str, str]:
        name, equals, rest = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise Refused(text, f"{option.flag} takes {option.metavar}, not {text!r}")
        assert option.convert is not None
        return text, name, option.convert(name, rest)

    return convert


def _dictionary(pairs: Sequence[tuple[str, str, str]]) -> dict[str, str]:
    made: dict[str, str] = {}
    for whole, name, given in pairs:
        if name in made:
            raise Refused(whole, f"{name} is given twice")
        made[name] = given
    return made


def _refuse_slips(words: Sequence[Word]) -> None:
    """Refuse ``-only``, which argparse would read as ``-o nly``, and ``-t--``, as ``-t`` of nothing."""
    for word in words:
        if any(f"-{word}" == option.flag for option in OPTIONS):
            raise Refused(word, f"there is no option {word}", hint=f"did you mean -{word}?")
        for option in OPTIONS:
            if option.convert is not None and word in (f"{option.flag}--", f"{option.flag}=--"):
                raise Refused(word, f"{option.flag} takes {option.metavar}, not '--'")


def _unknown(word: str) -> Refused:
    if not word.startswith("-"):
        hint = "a command stands behind --, as in: -- cat /etc/hostname"
        return Refused(word, f"{word!r} belongs to no option", hint=hint)
    flag = word.split("=")[0]
    flags = [option.flag for option in OPTIONS]
    return Refused(
        word,
        f"there is no option {flag}",
        hint=did_you_mean(flag, flags) or f"the options are {', '.join(flags)}",
    )


def _incomplete(words: Sequence[Word], error: argparse.ArgumentError) -> Refused:
    """What argparse refuses by itself: an option without its value, or a flag with one."""
    for option in OPTIONS:
        if option.flag != error.argument_name:
            continue
        for word, behind in zip(words, [*words[1:], "-"], strict=True):
            if option.convert is None and word.startswith(f"{option.flag}="):
                return Refused(word, f"{option.flag} takes no value")
            if option.convert is not None and word == option.flag and behind.startswith("-"):
                return Refused(
                    word, f"{option.flag} needs {option.metavar} behind it", hint=f"{option}: {option.help}"
                )
    return Refused("", str(error))


def _word(words: Sequence[Word], flag: str) -> Word:
    """Where an option that takes a value is written, with or without "="."""
    return next(word for word in words if word.partition("=")[0] == flag)


def _check(words: Sequence[Word], chosen: dict[str, Any]) -> None:
    """Refuse options that do not go together."""
    flags = {str(word): word for word in words}
    if "only" in chosen and "command" not in chosen:
        hint = "put the command behind --, as in: -- cat /etc/hostname"
        raise Refused(flags["--only"], "--only needs a command whose events to keep", hint=hint)
    if "record" in chosen and "replay" in chosen:
        hint = "leave out one of them"
        raise Refused(_word(words, "--replay"), "a trace is recorded or replayed, not both", hint=hint)
    for name, flag in (("seconds", "-t"), ("events", "-n")):
        if "background" in chosen and name in chosen:
            what = f"--bg goes on until it is stopped, and {flag} says when to stop"
            raise Refused(
                flags["--bg"], what, hint="leave out one of them; %bpf stop ends a background trace"
            )
    for name, (flag, why) in _NOT_ON_HOSTS.items():
        if "hosts" in chosen and name in chosen:
            what = f"{flag} and --on do not go together: {why}"
            raise Refused(_word(words, flag), what, hint="leave out one of them")

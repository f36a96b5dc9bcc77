"""System calls as strace and as the lab saw them, in a form in which two runs can be compared."""

from __future__ import annotations

import difflib
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"(\d+)\s+(.*)")
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (.*)", re.DOTALL)
_STRING = re.compile(r'"((?:\\.|[^"\\])*)"')
_FORKS = ("clone", "clone3", "fork", "vfork")
# Calls that return an id of a thread or process; a handler's return gives what the interrupted call returned.
_IDS = ("getpgrp", "getpid", "getppid", "gettid", "rt_sigreturn", "set_tid_address", "setsid", "wait4")
# Calls of which the strings are compared, too: names of files, what is written, arguments of programs.
_WITH_STRINGS = frozenset(
    {
        *(
            "access",
            "chdir",
            "execve",
            "faccessat",
            "faccessat2",
            "mkdir",
            "newfstatat",
            "open",
            "openat",
            "pwrite64",
        ),
        *("readlink", "readlinkat", "rename", "renameat2", "rmdir", "statfs", "statx", "symlinkat", "unlink"),
        *("unlinkat", "write", "getcwd"),
    }
)
# What differs from run to run, and names nothing: names of temporary files.
_TEMPORARY = re.compile(r"/cc\w{6}\b")


@dataclass(frozen=True)
class Seen:
    """A call of one thread: the text of its arguments, and of its result."""

    thread: int
    name: str
    arguments: str
    result: str


def strace(command: Sequence[str], log: Path) -> list[Seen]:
    """Run a command under ``strace -f``."""
    subprocess.run(
        ["strace", "-f", "-s", "127", "-o", str(log), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    return list(read_log(log.read_text(errors="backslashreplace").splitlines()))


def read_log(lines: Iterable[str]) -> Iterator[Seen]:
    """The calls of a log of strace's, in the order of their entry within each thread."""
    begun: dict[int, str] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        thread, text = int(match[1]), match[2]
        if text.endswith(_UNFINISHED):
            begun[thread] = text.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.match(text):
            text = begun.pop(thread) + resumed[1]
        text = text.replace(" <unfinished ...>)", ")")
        if (seen := parse(thread, text)) is not None:
            yield seen
    for thread, text in begun.items():  # ended without a word
        if (seen := parse(thread, f"{text}) = ?")) is not None:
            yield seen


def parse(thread: int, text: str) -> Seen | None:
    """A call in strace's words; None for a signal or the end of a process."""
    match = _CALL.fullmatch(text)
    return Seen(thread, match[1], match[2], match[3]) if match else None


def by_thread(calls: Iterable[Seen]) -> dict[str, list[str]]:
    """What each thread did, in words that are the same in each run; threads are named by who started them."""
    listed = list(calls)
    names = {listed[0].thread: "0"} if listed else {}
    children: dict[int, int] = {}
    for call in listed:
        if call.name in _FORKS and call.result.split()[0].isdigit():
            number = children[call.thread] = children.get(call.thread, 0) + 1
            names[int(call.result.split()[0])] = f"{call.thread}/{number}"
    full = {thread: _full(name, names) for thread, name in names.items()}
    threads: dict[str, list[str]] = {}
    for call in listed:
        threads.setdefault(full.get(call.thread, "?"), []).append(_plain(call, full))
    return threads


def _full(name: str, names: dict[int, str]) -> str:
    parent, _, number = name.partition("/")
    return f"{_full(names[int(parent)], names)}/{number}" if number else name


def _plain(call: Seen, threads: dict[int, str]) -> str:
    words = call.result.split()
    result = words[0]
    if result in ("-1", "?") and len(words) > 1:
        result = f"{result} {words[1]}"
    elif re.fullmatch(r"0x[0-9a-f]+|\d+", result):
        value = int(result, 0)
        name = threads.get(value)
        # Only these return thread ids: another call's number may look like one.
        if name is not None and call.name in (*_FORKS, *_IDS):
            result = f"thread {name}"
        elif call.name in _IDS and value:
            result = "an id"
        elif call.name == "brk" or value > 1 << 31:
            result = "an address"
        else:
            result = str(value)
    else:
        result = result.partition("<")[0]
    strings = [text for text in _STRING.findall(call.arguments)] if call.name in _WITH_STRINGS else []
    return _TEMPORARY.sub("/cc", " ".join([call.name, *(repr(text) for text in strings), "=", result]))


def differences(theirs: dict[str, list[str]], ours: dict[str, list[str]]) -> list[str]:
    """Lines that only one of the two has, a sign and the thread before each."""
    found = []
    for thread in sorted(theirs.keys() | ours.keys()):
        lines = difflib.ndiff(theirs.get(thread, []), ours.get(thread, []))
        found += [f"{line[0]} [{thread}] {line[2:]}" for line in lines if line[0] in "-+"]
    return found

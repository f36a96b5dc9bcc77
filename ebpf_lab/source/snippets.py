"""The lab's example programs: C files whose header says what they show, need and give.

A header is the run of ``//`` lines that a file begins with: first the licence, then keys and values.  A
value goes on in lines that are indented further.

============================  ==================================================================
``SPDX-License-Identifier``   the licence; the first line
``title``                     what it is, in a few words
``teaches``                   what a reader learns
``attach``                    probes, divided by commas; ``FUNCTION=PROBE`` where the C itself does
                              not say so, and ``--attach`` must
``needs``                     names of the features it needs, divided by commas
``workload``                  shell commands that make it see something; its lines are joined to one, as
                              they stand behind ``--``
``emits``                     the frame's columns, divided by ``|``, each a name and a type
``expect``                    what the frame then holds (:mod:`ebpf_lab.source.expect`)
``limits``                    what it misses
============================  ==================================================================

These are required.  A program that the kernel must reject has ``expect-reject`` in place of ``workload``,
``emits`` and ``expect``: words of the error (:mod:`ebpf_lab.source.rejection`).  It holds its repair behind
``#ifdef FIXED``, so that ``#define FIXED`` above it makes the kernel take it.  These may be left out:

============================  ==================================================================
``backend``                   the dialect, where the text does not show it
``from``                      the stream or map that ``emits`` and ``expect`` are about, where it
                              is not the main one
``scope``                     ``system`` where what it shows happens outside the workload's own
                              processes
``setup``                     shell commands that make what it needs, before it is attached
``cleanup``                   shell commands that take that away, after it is detached
============================  ==================================================================

:func:`ebpf_lab.preparation.prepared` runs the last two.

A program that can fail at something counts that in a map called ``failures``, whose elements are named by an
enumeration; the header line of a trace then says "3 failed (2 unreadable name, 1 no room for call)"
(:mod:`ebpf_lab.failures`).  Ring and perf buffers that are full are counted without it, as lost events.  In
the libbpf dialect ::

    enum failure { UNREADABLE_NAME, NO_ROOM_FOR_CALL, FAILURES };

    struct {
        __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
        __uint(max_entries, FAILURES);
        __type(key, enum failure);
        __type(value, u64);
    } failures SEC(".maps");

and in bcc's, whose arrays have keys of no type, but the enumeration's last name for a size ::

    BPF_PERCPU_ARRAY(failures, u64, FAILURES);

    failures.increment(UNREADABLE_NAME);

A program that follows the traced command and its children by itself declares a map called ``followed``, which
the lab fills before the command starts (:mod:`ebpf_lab.following`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ebpf_lab.errors import Mark, UsageProblem
from ebpf_lab.source.expect import Expectation, parse_expectations
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.rejection import Rejection, parse_rejection
from ebpf_lab.source.spec import Dialect
from ebpf_lab.source.words import did_you_mean, listing

REQUIRED = ("title", "teaches", "attach", "needs", "workload", "emits", "expect", "limits")
OPTIONAL = ("backend", "from", "scope", "expect-reject", "setup", "cleanup")
# What a program has no use for that is never loaded.
_RUNNING = frozenset({"workload", "emits", "expect"})

_SPDX = re.compile(r"// SPDX-License-Identifier: (\S.*)")
_KEY = re.compile(r"// ([a-z][a-z-]*):(?:\s+(.*))?")
_CONTINUED = re.compile(r"//\s{3,}(\S.*)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the frame: its name, and its type in words ("u32", "str")."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """One example program.

    Attributes
    ----------
    name : str
        The file's name without ``.c``, with its folder if it is in one.
    text : str
        The whole file.
    attach : dict
        Functions to attach by option, and their probes.
    probes : tuple of Probe
        All probes it is attached to.
    needs : tuple of str
        Feature names.
    emits : tuple of Column
    expect : tuple of Expectation
    rejection : Rejection or None
        How it must be rejected, None when it must run.
    backend : Dialect or None
    source : str
        The stream or map that ``emits`` and ``expect`` are about, "" for the main one.
    whole_system : bool
        Events of other processes than the workload's count.
    setup, cleanup : str
        Shell commands to run before it is attached and after it is detached, "" for none.
    title, teaches, workload, limits, license : str
    """

    name: str
    text: str
    license: str
    title: str
    teaches: str
    attach: dict[str, str]
    probes: tuple[Probe, ...]
    needs: tuple[str, ...]
    workload: str
    emits: tuple[Column, ...]
    expect: tuple[Expectation, ...]
    limits: str
    rejection: Rejection | None = None
    backend: Dialect | None = None
    source: str = ""
    whole_system: bool = False
    setup: str = ""
    cleanup: str = ""

    @property
    def fixed(self) -> str:
        """The text of a program that must be rejected, repaired."""
        return f"#define FIXED\n{self.text}"


def directory() -> Path:
    """Where the snippets are: in an installed package, or in the project."""
    package = Path(__file__).parents[1]
    installed = package / "_snippets"
    return installed if installed.is_dir() else package.parent / "bpf_snippets"


def names(folder: str = "") -> list[str]:
    """Names of the snippets in a folder, sorted.

    Raises
    ------
    UsageProblem
        There are none: the installation is incomplete.
    """
    where = directory() / folder
    found = sorted(path.relative_to(directory()).with_suffix("").as_posix() for path in where.glob("*.c"))
    if not found:
        raise UsageProblem(f"there are no snippets in {where}", hint="install the package anew")
    return found


def folders() -> list[str]:
    """Where the snippets are: "" for those in no folder, and the names of the folders."""
    return ["", *sorted({path.parent.name for path in directory().glob("*/*.c")})]


def load(name: str, usable: Callable[[Snippet], bool] = lambda snippet: True) -> Snippet:
    """Read a snippet by its name ("exec_ring.libbpf", "rejected/no_null_check.libbpf").

    A name without its dialect ("exec_ring") is that of the first ``usable`` one, libbpf before bcc, or of
    the first where none is.

    Raises
    ------
    UsageProblem
        There is none of this name, or its header is wrong.
    """
    name = name.removesuffix(".c")
    folder = name.rpartition("/")[0]
    known = names(folder) if folder in folders() else []
    if name in known:
        return parse((directory() / f"{name}.c").read_text(encoding="utf-8"), name)
    dialects = [f"{name}.{dialect}" for dialect in (Dialect.LIBBPF, Dialect.BCC)]
    found = [load(each) for each in dialects if each in known]
    if found:
        return next((snippet for snippet in found if usable(snippet)), found[0])
    known = known or names()
    bare = dict.fromkeys(each.rpartition(".")[0] or each for each in known)
    near = did_you_mean(name, [*bare, *known])
    raise UsageProblem(f"there is no snippet {name}", hint=near or f"there are {listing(bare)}")


def parse(text: str, name: str = "") -> Snippet:
    """Read a snippet's header.

    Raises
    ------
    UsageProblem
        A key is missing, unknown or given twice, or a value makes no sense.
    """
    header = _Header(text, name)
    attach, probes = header.attachments()
    return Snippet(
        name,
        text,
        header.license,
        header.prose("title"),
        header.prose("teaches"),
        attach,
        probes,
        tuple(header.items("needs")),
        " ".join(header.values.get("workload", "").splitlines()),
        header.columns(),
        header.expectations(),
        header.prose("limits"),
        header.rejection(),
        header.backend(),
        header.prose("from"),
        header.whole_system(),
        header.values.get("setup", ""),
        header.values.get("cleanup", ""),
    )


class _Header:
    """The keys of a header, with their values and where they stand."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._lines = [line.rstrip() for line in text.split("\n")]
        self._where: dict[str, int] = {}
        self.values: dict[str, str] = {}
        match = _SPDX.fullmatch(self._lines[0])
        if match is None:
            self._fail(1, "the first line names no licence", "// SPDX-License-Identifier: GPL-2.0")
        self.license = match[1]
        self._read()
        for key in REQUIRED:
            if not self.values.get(key) and not ("expect-reject" in self.values and key in _RUNNING):
                self._fail(self._where.get(key, 1), f"the header has no {key}", f"// {key}: …")

    def _read(self) -> None:
        key = ""
        for number, line in enumerate(self._lines[1:], 2):
            if match := _KEY.fullmatch(line):
                key = match[1]
                if key not in (*REQUIRED, *OPTIONAL):
                    hint = did_you_mean(key, (*REQUIRED, *OPTIONAL))
                    self._fail(number, f"{key} is no key of a header", hint)
                if key in self.values:
                    self._fail(number, f"{key} is given twice", "")
                self.values[key], self._where[key] = match[2] or "", number
            elif key and (match := _CONTINUED.fullmatch(line)):
                self.values[key] = f"{self.values[key]}\n{match[1]}".lstrip("\n")
            else:
                break

    def prose(self, key: str) -> str:
        return " ".join(self.values.get(key, "").split())

    def items(self, key: str) -> list[str]:
        return [item for item in map(str.strip, re.split(r"[,\n]", self.values[key])) if item]

    def attachments(self) -> tuple[dict[str, str], tuple[Probe, ...]]:
        attach: dict[str, str] = {}
        probes = []
        for item in self.items("attach"):
            function, equals, place = item.rpartition("=")
            try:
                probe = Probe.parse(place)
            except UsageProblem as problem:
                self._fail(self._where["attach"], problem.what, problem.hint)
            probes.append(probe)
            if equals:
                attach[function.strip()] = str(probe)
        return attach, tuple(probes)

    def columns(self) -> tuple[Column, ...]:
        columns = []
        for item in self.prose("emits").split("|") if "emits" in self.values else []:
            words = item.split()
            if len(words) != 2:
                hint = "each is a name and a type: comm str | count u64"
                self._fail(self._where["emits"], f"{item.strip()!r} is no column", hint)
            columns.append(Column(*words))
        return tuple(columns)

    def expectations(self) -> tuple[Expectation, ...]:
        try:
            return parse_expectations(self.values.get("expect", ""))
        except UsageProblem as problem:
            self._fail(self._where["expect"], f"{problem.what}: {problem.why}", problem.hint)

    def rejection(self) -> Rejection | None:
        if "expect-reject" not in self.values:
            return None
        try:
            return parse_rejection(self.values["expect-reject"], "\n".join(self._lines))
        except UsageProblem as problem:
            self._fail(self._where["expect-reject"], problem.what, problem.hint)

    def backend(self) -> Dialect | None:
        value = self.prose("backend")
        try:
            return Dialect(value) if "backend" in self.values else None
        except ValueError:
            self._fail(self._where["backend"], f"there is no backend {value!r}", "bcc or libbpf")

    def whole_system(self) -> bool:
        value = self.prose("scope")
        if "scope" in self.values and value != "system":
            self._fail(self._where["scope"], f"there is no scope {value!r}", "system")
        return bool(value)

    def _fail(self, number: int, what: str, hint: str) -> NoReturn:
        where = (Mark(number, self._lines[number - 1]),)
        raise UsageProblem(f"{self._name or 'snippet'}: {what}", where=where, hint=hint)

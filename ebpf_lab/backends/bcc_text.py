"""What bcc compiles in place of a learner's text, and the way back from there.

Added are counters of what a full ring buffer refuses, the values of ``--set``, what reads the arguments of
USDT probes, and structs that keep the event types in the BTF. ``BTF_OFFSET(struct, member)`` and
``BTF_SIZE(struct)`` become the running kernel's numbers: bcc knows only those of its headers' kernel. bcc in
turn rewrites what it gets, and inserts lines of its own, so that the line numbers of its messages fit no
text that anyone has seen. Every line therefore ends in a comment with its number: compilers quote it, and
the verifier's log has it too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ebpf_lab.backends.bcc_usdt import readers
from ebpf_lab.errors import Mark, UsageProblem
from ebpf_lab.host.kernel_types import offset_of, size_of
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.spec import ProgramSpec

LOSSES = "lab_lost"
"""The per-CPU array of counters: element N is for stream N of :attr:`BccText.rings`."""
TYPE_STRUCT = "lab_type_"
"""The structs whose only member has an event type; a number follows."""

_NUMBER = re.compile(r"[ \t]*//~(T?)(\d+)\s*$")
_PIECES = r"""//(?:\\\n|[^\n])*|/\*.*?(?:\*/|\Z)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|[()]"""
_KERNEL_NUMBER = (
    r"\bBTF_(?:SIZE\s*\(\s*(?P<sized>\w+)\s*\)"
    r"|OFFSET\s*\(\s*(?P<struct>\w+)\s*,\s*(?P<member>\w+(?:\.\w+)*)\s*\))"
)
_SYSCALL_FUNCTION = re.compile(r"(?:__(?:x64|arm64)_)?sys_\w+")
_UNWRAPPED = ("syscall__", "kprobe__")


@dataclass(frozen=True, slots=True)
class _Edit:
    """Bytes ``start`` to ``end`` of the text become ``text``, which has no line break."""

    start: int
    end: int
    text: bytes


@dataclass(frozen=True, slots=True)
class BccText:
    """A text made ready for bcc.

    Attributes
    ----------
    text : str
        What bcc gets.
    flags : tuple of str
        Compiler options.
    types : tuple of str
        Event types by the number of their struct, as the spec names them.
    rings : tuple of str
        Streams whose losses are counted, by the number of their counter.
    functions : dict
        The name that a function has for bcc, where it is not the learner's.
    """

    text: str
    flags: tuple[str, ...]
    types: tuple[str, ...]
    rings: tuple[str, ...]
    functions: Mapping[str, str]
    _lines: Sequence[bytes] = field(repr=False)
    _edits: Sequence[_Edit] = field(repr=False)

    def line(self, number: int) -> str:
        """A line of the learner's text, counted from 1; "" beyond its end."""
        lines = self._lines
        return lines[number - 1].decode("utf-8", "replace") if 0 < number <= len(lines) else ""

    @property
    def end(self) -> tuple[int, int]:
        """Line and column behind the last thing in the text."""
        last = max((at for at, line in enumerate(self._lines, 1) if line.strip()), default=1)
        return last, len(self._lines[last - 1].rstrip()) + 1

    def number_of(self, line: str) -> int:
        """The number of the line that reads like this, 0 when there is none or more than one."""
        wanted = _bare(line)
        found = [number for number in range(1, len(self._lines) + 1) if _bare(self.line(number)) == wanted]
        return found[0] if len(found) == 1 else 0

    def column(self, number: int, quoted: str, column: int) -> int:
        """The column in the learner's line of a column in the line that bcc quotes; 0 when it has none.

        Columns count bytes from 1.
        """
        if not 0 < number <= len(self._lines):
            return 0
        start = sum(len(line) + 1 for line in self._lines[: number - 1])
        original = self._lines[number - 1]
        edits = [edit for edit in self._edits if start <= edit.start <= start + len(original)]
        if _bare(quoted) != _bare(_apply(original, edits, start).decode("utf-8", "replace")):
            return _same_word(original, quoted, column)  # bcc has rewritten it
        moved = 0
        for edit in edits:
            begins = edit.start - start + moved
            if column - 1 < begins:
                break
            if column - 1 < begins + len(edit.text):
                return edit.start - start + 1
            moved += len(edit.text) - (edit.end - edit.start)
        return column - moved


def prepare(
    spec: ProgramSpec, *, counted: bool = True, without: Collection[int] = (), before: str = ""
) -> BccText:
    """Make a text ready for bcc.

    Parameters
    ----------
    spec : ProgramSpec
    counted : bool
        Count what ring buffers refuse.
    without : collection of int
        Numbers of event types to leave out.
    before : str
        C to put before everything.
    """
    source = spec.text.encode("utf-8", "replace")
    rings = [stream.name for stream in spec.streams if stream.kind == "ringbuf"]
    calls = list(_ring_edits(source, rings if counted else ()))
    edits = sorted(
        [*calls, *_setting_edits(source, spec.settings), *_kernel_edits(source)],
        key=lambda edit: (edit.start, edit.end),
    )
    functions = dict(_renamed(spec))
    types = _types(spec)
    head = [before]
    head += [f"#define {function} {name}" for function, name in functions.items()]
    head.append(readers(spec, functions))
    head += _counters(len(rings)) if calls else []
    tail = [
        f"struct {TYPE_STRUCT}{number} {{ typeof({spelling}) value; }} {TYPE_STRUCT}{number} "
        f'__attribute__((section(".lab_types"), used)) = {{}}; //~T{number}'
        for number, (_, spelling) in enumerate(types)
        if number not in without
    ]
    made = _apply(source, edits).decode("utf-8", "replace")
    return BccText(
        "\n".join([*filter(None, head), *_numbered(made), *tail, ""]),
        tuple(f"-D{name}={value}" for name, value in spec.settings.items()),
        tuple(name for name, _ in types),
        tuple(rings) if calls else (),
        functions,
        source.split(b"\n"),
        edits,
    )


def numbered(line: str) -> tuple[str, int]:
    """A line that bcc quotes without its number, and that number; 0 when it is not the learner's."""
    match = _NUMBER.search(line)
    if not match:
        return line, 0
    return line[: match.start()], 0 if match[1] else int(match[2])


def type_number(line: str) -> int | None:
    """The number of the event type that a quoted line of ours declares, None for any other line."""
    match = _NUMBER.search(line)
    return int(match[2]) if match and match[1] else None


def _numbered(text: str) -> Iterator[str]:
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        # Behind a backslash a comment would swallow the line that continues this one.
        yield line if line.rstrip().endswith("\\") else f"{line} //~{number}"
    # A last line that ends in a backslash would take in what follows.
    yield ""


def _apply(source: bytes, edits: Sequence[_Edit], start: int = 0) -> bytes:
    parts, at = [], 0
    for edit in edits:
        parts += [source[at : edit.start - start], edit.text]
        at = edit.end - start
    return b"".join([*parts, source[at:]])


def _bare(line: str) -> str:
    # clang shows tabs as spaces.
    return " ".join(line.split())


def _same_word(original: bytes, quoted: str, column: int) -> int:
    word = re.match(rb"\w+", quoted.encode()[column - 1 :])
    places = [match.start() for match in re.finditer(rb"\b%b\b" % word[0], original)] if word else []
    return places[0] + 1 if len(places) == 1 else 0


def _counters(number: int) -> list[str]:
    return [
        f"BPF_PERCPU_ARRAY({LOSSES}, u64, {number});",
        "static __always_inline void lab_count_lost(int stream) {"
        f" int lab_key = stream; u64 *lab_count = {LOSSES}.lookup(&lab_key);"
        # Atomic, because a program may interrupt another one on the same CPU.
        " if (lab_count) __sync_fetch_and_add(lab_count, 1); }",
    ]


def _ring_edits(source: bytes, rings: Sequence[str]) -> Iterator[_Edit]:
    """Count what the ring buffer refuses, around each call that may be refused."""
    if not rings:
        return
    names = "|".join(map(re.escape, rings))
    call = rf"(?<![\w.])(?P<ring>{names})\s*\.\s*ringbuf_(?P<call>reserve|output)\s*\("
    # Where each bracket that is open now belongs to: the counter's number of a call, or nothing of interest.
    opened: list[tuple[int, str] | None] = []
    # As latin-1, so that offsets are bytes.
    for match in re.finditer(f"{call}|{_PIECES}", source.decode("latin-1"), re.DOTALL):
        if match["call"]:
            kind = "void *" if match["call"] == "reserve" else "long "
            refused = "!lab_result" if match["call"] == "reserve" else "lab_result < 0"
            yield _Edit(match.start(), match.start(), f"({{ {kind}lab_result = ".encode())
            opened.append((rings.index(match["ring"]), refused))
        elif match[0] == "(":
            opened.append(None)
        elif match[0] == ")" and opened and (ended := opened.pop()):
            number, refused = ended
            after = f"; if ({refused}) lab_count_lost({number}); lab_result; }})"
            yield _Edit(match.end(), match.end(), after.encode())


def _kernel_edits(source: bytes) -> Iterator[_Edit]:
    """Put the running kernel's numbers where the text asks for them."""
    for match in re.finditer(f"{_KERNEL_NUMBER}|{_PIECES}", source.decode("latin-1"), re.DOTALL):
        if not (match["sized"] or match["struct"]):
            continue
        try:
            number = (
                size_of(match["sized"]) if match["sized"] else offset_of(match["struct"], match["member"])
            )
        except UsageProblem as problem:
            before = source[: match.start()]
            line = source.split(b"\n")[before.count(b"\n")].decode("utf-8", "replace")
            column = match.start() - before.rfind(b"\n")
            problem.where = (Mark(before.count(b"\n") + 1, line, column, len(match[0])),)
            raise
        yield _Edit(match.start(), match.end(), str(number).encode())


def _setting_edits(source: bytes, settings: Mapping[str, str]) -> Iterator[_Edit]:
    """Give the text's own ``#define NAME`` the value too, which would otherwise undo the setting."""
    for name, value in settings.items():
        define = rf"^[ \t]*#[ \t]*define[ \t]+{re.escape(name)}(?![\w(])(?P<value>[^\n]*(?<!\\))$"
        for match in re.finditer(define.encode(), source, re.MULTILINE):
            yield _Edit(match.start("value"), match.end("value"), f" {value}".encode())


def _renamed(spec: ProgramSpec) -> Iterator[tuple[str, str]]:
    """Functions attached to system calls by ``--attach``: bcc goes by the name to find their arguments."""
    for program in spec.programs:
        if program.probe and _is_syscall(program.probe) and not program.function.startswith(_UNWRAPPED):
            yield program.function, f"syscall__{program.function}"


def _is_syscall(probe: Probe) -> bool:
    return probe.kind == "ksyscall" or (
        probe.kind == "kprobe" and bool(_SYSCALL_FUNCTION.fullmatch(probe.name))
    )


def _types(spec: ProgramSpec) -> list[tuple[str, str]]:
    """The name and the C spelling of each event type, and of each enumeration that names a map's elements."""
    written: dict[str, str] = {}
    for stream in spec.streams:
        written |= zip(stream.structs, stream.c_types, strict=True)
    written |= {each.key: each.key for each in spec.maps if each.key}
    return list(written.items())

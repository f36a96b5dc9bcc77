"""What the lab compiles around a libbpf text: headers before it, licence and event types behind it.

The text itself stays as it is, so that its line numbers hold.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from ebpf_lab.source.spec import ProgramSpec

FILE = "lab"
"""The file that the lines behind the text claim to be in."""

TYPE_VARIABLE = "lab_type_"
"""The variables that keep the event types in the object; a number follows."""

# With these the text needs no #include at all.
_CORE = ("vmlinux.h", "bpf/bpf_helpers.h", "bpf/bpf_tracing.h", "bpf/bpf_core_read.h", "bpf/bpf_endian.h")
# A text that includes the kernel's uapi headers would define their types a second time after vmlinux.h.
_UAPI = ("linux/bpf.h", "bpf/bpf_helpers.h")
_MACROS_ONLY = frozenset({"linux/errno.h", "asm/errno.h", "linux/limits.h"})

_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b[ \t]*(?:[<\"]([^>\"\n]+)[>\"])?", re.MULTILINE)
_LICENSE = re.compile(r"\b(?:SEC|section)\s*\(\s*\"license\"\s*\)")
_USDT = re.compile(r"\b(?:BPF_USDT|bpf_usdt_\w+)\b")
_TYPE_NAME = re.compile(r"[A-Za-z_][\w ]*\**(?:\[\d+\])*")


@dataclass(frozen=True, slots=True)
class Additions:
    """What is compiled around a text.

    Attributes
    ----------
    headers : tuple of str
        Included before the text; the same for all texts of a kind, so that they can be precompiled.
    more : tuple of str
        Included after these.
    kernel_types : bool
        ``vmlinux.h`` is among them.
    foreign : bool
        The text includes headers besides libbpf's and the lab's; nothing here tells when those change.
    lines : tuple of str
        Lines to follow the text, in the file :data:`FILE`.
    types : tuple of str
        Event types in C, by number of their variable.
    """

    headers: tuple[str, ...]
    more: tuple[str, ...]
    kernel_types: bool
    foreign: bool
    lines: tuple[str, ...]
    types: tuple[str, ...]

    def behind(self, text: str) -> str:
        """The text with the lab's lines behind it."""
        # The empty line ends a last line that ends in a backslash.
        return "\n".join((text, "", f'# 1 "{FILE}"', *self.lines, ""))

    def uncounted(self) -> Additions:
        """The same, but ring buffer calls are the plain ones that count no losses."""
        return replace(self, more=(*self.more, "lab/uncounted.h"))

    def without(self, numbers: Collection[int]) -> Additions:
        """The same with these lines, counted from 1, left empty."""
        kept = ("" if number in numbers else line for number, line in enumerate(self.lines, 1))
        return replace(self, lines=tuple(kept))


def additions(spec: ProgramSpec) -> Additions:
    """What to compile around ``spec.text``."""
    code = _COMMENT.sub(lambda match: match[0] if match[0].startswith('"') else " ", spec.text)
    included = [match[1] for match in _INCLUDE.finditer(code)]
    kernel_types = "vmlinux.h" in included or not any(map(_is_uapi, included))
    headers = _CORE if kernel_types else _UAPI
    more = ("bpf/usdt.bpf.h",) if kernel_types and _USDT.search(code) else ()
    lines = [] if _LICENSE.search(code) else ['char lab_license[] SEC("license") = "GPL";']
    types = _event_types(spec)
    lines += [
        # clang describes only types that a function, a map or a global refers to.  libbpf skips the section.
        f'static typeof({name}) *{TYPE_VARIABLE}{number} __attribute__((section(".lab_types"), used));'
        for number, name in enumerate(types)
    ]
    foreign = any(name is None or not (name == "vmlinux.h" or name.startswith("bpf/")) for name in included)
    return Additions(headers, more, kernel_types, foreign, tuple(lines), types)


def _event_types(spec: ProgramSpec) -> tuple[str, ...]:
    written = dict.fromkeys(name for stream in spec.streams for name in stream.c_types)
    # What --event names goes into the text compiled: nothing but a type may.
    return tuple(name for name in written if _TYPE_NAME.fullmatch(name))


def _is_uapi(name: str | None) -> bool:
    return name is not None and name.startswith(("linux/", "asm/", "uapi/")) and name not in _MACROS_ONLY

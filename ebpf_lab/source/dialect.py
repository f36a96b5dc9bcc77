"""Which of the two C dialects a text is written in, and what in it says so."""

from __future__ import annotations

from ebpf_lab.source.lexer import Scan, Token
from ebpf_lab.source.maps import BCC_MAP_MACROS
from ebpf_lab.source.spec import Dialect
from ebpf_lab.source.tree import BCC_FUNCTION_MACROS

BCC_FUNCTION_PREFIXES = (
    "kprobe__",
    "kretprobe__",
    "syscall__",
    "tracepoint__",
    "raw_tracepoint__",
    "kfunc__",
    "kretfunc__",
    "lsm__",
)
"""Beginnings of a function's name that make bcc attach it."""

_BCC_CALLS = BCC_MAP_MACROS | BCC_FUNCTION_MACROS.keys()
_LIBBPF_INCLUDES = ("vmlinux.h", "bpf/")
_LIBBPF_WORDS = frozenset(
    {"bpf_printk", "BPF_KPROBE", "BPF_KRETPROBE", "BPF_KSYSCALL", "BPF_PROG", "BPF_CORE_READ", "__uint"}
)
# Types that only BTF describes: the kernel's headers make them by macros.
_LIBBPF_TYPES = ("trace_event_raw_",)


def recognise(found: Scan, asked: Dialect | None = None) -> tuple[Dialect, str]:
    """The dialect of a text, and the reason in plain words.

    Parameters
    ----------
    found : Scan
    asked : Dialect, optional
        What the user asked for, whatever the text looks like.
    """
    if asked is not None:
        return asked, f"{asked} was asked for"
    return told(found) or (Dialect.BCC, "there is no SEC(…) in it")


def told(found: Scan) -> tuple[Dialect, str] | None:
    """The dialect that something in the text shows, and what that is; None where nothing does."""
    sections = [found.tokens[first] for first, _ in found.calls({"SEC"})]
    marks = [token for token in found.tokens if _is_bcc(token)]
    if sections:
        reason = f"line {found.line(sections[0].start)} has SEC(…), which is libbpf's"
        if marks:
            reason += f"; {marks[0].text} in line {found.line(marks[0].start)} is bcc's"
        return Dialect.LIBBPF, reason
    if marks:
        reason = f"line {found.line(marks[0].start)} has {marks[0].text}, which is bcc's"
        return Dialect.BCC, f"{reason}, and there is no SEC(…)"
    for name in found.includes:
        if name.startswith(_LIBBPF_INCLUDES):
            return Dialect.LIBBPF, f"it includes {name}, which is libbpf's"
    for token in found.tokens:
        if token.kind == "name" and (token.text in _LIBBPF_WORDS or token.text.startswith(_LIBBPF_TYPES)):
            return Dialect.LIBBPF, f"line {found.line(token.start)} has {token.text}, which is libbpf's"
    return None


def _is_bcc(token: Token) -> bool:
    return token.kind == "name" and (token.text in _BCC_CALLS or token.text.startswith(BCC_FUNCTION_PREFIXES))

"""What may be named in a text on this machine: helpers, types and macros."""

from __future__ import annotations

import functools
import platform
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from ebpf_lab.backends import vmlinux
from ebpf_lab.diagnose.known import Known
from ebpf_lab.errors import LabError
from ebpf_lab.host import btf_ids, kernel

_HELPER = re.compile(r"\(\* ?(?:const )?(bpf_\w+)\)\(")
_HELPERS = tuple(Path(place, "bpf/bpf_helper_defs.h") for place in ("/usr/local/include", "/usr/include"))
# The names of enum bpf_func_id, among the strings of the kernel's BTF.
_NUMBERED_HELPER = re.compile(rb"\0BPF_FUNC_(\w+)(?=\0)")
_TYPE = re.compile(
    r"^(?:typedef )?((?:struct|union|enum) \w+) \{|^typedef (?:[^;{}]|\n)*?\b(\w+);|^\} (\w+);", re.MULTILINE
)
_MEMBER = re.compile(r"(\w+)(?:\[\d*\]|\)\([^\n]*\))*(?:: \d+)?(?: __attribute__\(\(.*\)\))?;$", re.MULTILINE)
_KERNEL_HEADERS = ("linux", "uapi/linux", "net")
_USER_HEADERS = ("linux", "asm-generic", "{}-linux-gnu/asm", "{}-linux-gnu/bits")
_LITERAL = r"(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*"


class LibbpfKnown(Known):
    """What the libbpf dialect can name; ``kernel_types`` says whether ``vmlinux.h`` is included."""

    def __init__(self, kernel_types: bool) -> None:
        self.kernel_types = kernel_types

    def helpers(self) -> Collection[str]:
        return _libbpf_helpers() or _kernel_helpers()

    def types(self) -> Collection[str]:
        return _kernel_types()

    def members(self, type_name: str) -> Collection[str]:
        return _members(type_name)

    def macro(self, name: str) -> str:
        return _user_macro(name)

    def is_kernel_function(self, name: str) -> bool:
        try:
            return bool(btf_ids.kernel_ids([(btf_ids.FUNCTION, name)]))
        except (OSError, ValueError):
            return False


class BccKnown(Known):
    """What the bcc dialect can name."""

    def helpers(self) -> Collection[str]:
        return _kernel_helpers()

    def types(self) -> Collection[str]:
        return _types_of_headers()

    def header_of(self, type_name: str) -> str:
        return _types_of_headers().get(type_name, "").removeprefix("uapi/")

    def macro(self, name: str) -> str:
        return _user_macro(name)


@functools.cache
def _libbpf_helpers() -> frozenset[str]:
    for path in _HELPERS:
        if path.exists():
            return frozenset(_HELPER.findall(path.read_text()))
    return frozenset()


@functools.cache
def _kernel_helpers() -> frozenset[str]:
    try:
        data = btf_ids.VMLINUX.read_bytes()
    except OSError:
        return frozenset()
    return frozenset(f"bpf_{name.decode()}" for name in _NUMBERED_HELPER.findall(data))


def _kernel_header() -> str:
    try:
        return (vmlinux.header_directory() / "vmlinux.h").read_text()
    except (OSError, LabError):
        return ""


@functools.cache
def _kernel_types() -> frozenset[str]:
    return frozenset(_names(_kernel_header()))


@functools.cache
def _members(type_name: str) -> frozenset[str]:
    # Members of nameless structs and unions within are the outer one's; the few of named ones do no harm.
    body = re.search(rf"^{re.escape(type_name)} \{{\n(.*?)^\}}", _kernel_header(), re.MULTILINE | re.DOTALL)
    return frozenset(_MEMBER.findall(body[1])) if body else frozenset()


@functools.cache
def _types_of_headers() -> dict[str, str]:
    """Types by name, and the header of the kernel's that has each."""
    found: dict[str, str] = {}
    headers = kernel.headers()
    for tree in () if headers is None else (headers.path, headers.path.parent / "source"):
        for part in _KERNEL_HEADERS:
            for path in sorted((tree / "include" / part).rglob("*.h")):
                for name in _names(path.read_text(errors="replace")):
                    found.setdefault(name, str(path.relative_to(tree / "include")))
    return found


def _names(text: str) -> Iterator[str]:
    for match in _TYPE.finditer(text):
        yield match[1] or match[2] or match[3]


def _user_macro(name: str) -> str:
    """The number that a macro of the uapi headers, or of the C library's, stands for; "" for none."""
    define = re.compile(rf"^[ \t]*#[ \t]*define[ \t]+{re.escape(name)}[ \t]+(\w+)", re.MULTILINE)
    for part in _USER_HEADERS:
        for path in sorted(Path("/usr/include", part.format(platform.machine())).glob("*.h")):
            match = define.search(path.read_text(errors="replace"))
            if match and re.fullmatch(_LITERAL, match[1]):
                return match[1]
            if match and match[1] != name and (value := _user_macro(match[1])):
                return value
    return ""

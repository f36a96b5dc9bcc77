"""Compiling a libbpf text with clang, as fast as it goes.

Two things make it fast: objects of earlier compilations are kept, and the headers, of which ``vmlinux.h``
alone has 3 MB, are compiled once into a precompiled header (0.04 s instead of 0.22 s a compilation).
"""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ebpf_lab.backends import cache, stack, vmlinux
from ebpf_lab.backends.additions import FILE, Additions
from ebpf_lab.backends.known import LibbpfKnown
from ebpf_lab.diagnose.clang import compile_error, parse, warnings
from ebpf_lab.errors import Mark, MissingFeature
from ebpf_lab.progress import step

CELL = "cell.c"
"""The name under which clang sees the learner's text."""

_TEXT = (CELL, f"./{CELL}")
_OWN_HEADERS = Path(__file__).parent / "include"
_LIBBPF_HEADERS = (Path("/usr/local/include/bpf"), Path("/usr/include/bpf"))
_NEWEST, _OLDEST = 30, 11
_TARGET = {"x86_64": "x86", "aarch64": "arm64"}

_FLAGS = (
    "-target",
    "bpf",
    "-mcpu=v3",
    "-g",
    "-O2",
    "-Wall",
    "-Wno-unused-function",
    "-Wno-unused-variable",
    # A call and its arguments behind it, in one event.
    "-Wno-gnu-variable-sized-type-not-at-end",
    # Older clangs only warn, and libbpf would then fail with words that name no line.
    "-Werror=implicit-function-declaration",
    # Newer clangs refuse these; the verifier would, in words that name no type.
    "-Werror=int-conversion",
    "-Werror=implicit-int",
    # It compiles to a comparison that is always false.
    "-Werror=string-compare",
    "-ferror-limit=0",
    "-fno-color-diagnostics",
    "-fno-crash-diagnostics",
    # No path of this machine in the object: BTF then names the text's file "./cell.c".
    "-fdebug-compilation-dir=.",
)


@dataclass(frozen=True, slots=True)
class Object:
    """What a text was compiled to.

    Attributes
    ----------
    elf : bytes
    warnings : tuple of Mark
        Places in the text that clang warned of.
    cached : bool
        Whether it was compiled earlier.
    """

    elf: bytes
    warnings: tuple[Mark, ...]
    cached: bool


def object_of(text: str, added: Additions, *, use_cache: bool, reason: str) -> Object:
    """Compile a text.

    Parameters
    ----------
    text : str
        The learner's C text.
    added : Additions
        What to compile around it.
    use_cache : bool
        Take the object of an earlier compilation, and keep this one.
    reason : str
        Why the text was taken for the libbpf dialect, for error messages.

    Returns
    -------
    Object

    Raises
    ------
    CompileError
        The text is not valid C, or not for BPF.
    MissingFeature
        clang, libbpf's headers or the kernel's BTF is missing.
    """
    use_cache = use_cache and not added.foreign
    name = cache.digest(added.behind(text), *_included(added), *_command(added), *_identity(added))
    if use_cache and (found := cache.load("objects", name)):
        said = cache.load("warnings", name) or b""
        return Object(found, warnings(said.decode(), text, _TEXT), cached=True)
    made, log = _compile(text, added, reason)
    warned = warnings(log, text, _TEXT)
    if use_cache:
        if warned:
            cache.store("warnings", name, log.encode())
        cache.store("objects", name, made)
    return Object(made, warned, cached=False)


def _compile(text: str, added: Additions, reason: str) -> tuple[bytes, str]:
    """The object, and what clang said."""
    headers = _precompiled(added)
    step("compiling")
    made, log = _run(added.behind(text), headers, added)
    if made:
        return made, log
    messages = parse(log)
    files = {message.file for message in (*messages, *(note for each in messages for note in each.notes))}
    if FILE not in files and any(
        message.file in _TEXT for message in messages if message.severity == "error"
    ):
        raise _failed(log, text, added, reason)
    # The lab's own part must not show in the learner's errors: the text is compiled alone, which also
    # leaves out the precompiled header, should that be the trouble.
    bad = {message.line for message in messages if message.file == FILE}
    alone, alone_log = _run(text, _included(added), added)
    if alone:
        made, log = _run(added.without(bad).behind(text), _included(added), added)
        if made:
            if not bad:
                _forget(headers)
            return made, log
    raise _failed(log if alone else alone_log, text, added, reason)


def _failed(log: str, text: str, added: Additions, reason: str) -> Exception:
    if "unknown target triple 'bpf'" in log or "No available targets are compatible" in log:
        return MissingFeature(
            f"{_clang()} cannot compile for BPF",
            why="it was built without the BPF target",
            hint="sudo apt install clang",
            log=log,
        )
    if (version := _version()) and version < _OLDEST:
        return MissingFeature(
            f"clang {version} is too old for the libbpf dialect, which needs clang {_OLDEST} or later",
            hint="sudo apt install clang",
            log=log,
        )
    error = compile_error(log, text, files=_TEXT, reason=reason, known=LibbpfKnown(added.kernel_types))
    return stack.explained(error, text, lambda more: _run(more, _included(added), added)[1])


def _run(text: str, headers: tuple[str, ...], added: Additions) -> tuple[bytes | None, str]:
    """Run clang; the object, None when it failed, and what it said."""
    with tempfile.TemporaryDirectory(prefix="ebpf-lab-") as directory:
        # A file, not a pipe: clang copies the source lines into BTF from it, for the verifier's log.
        Path(directory, CELL).write_bytes(text.encode("utf-8", "replace"))
        done = subprocess.run(
            [*_command(added), *headers, "-c", CELL, "-o", "cell.o"],
            cwd=directory,
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        log = done.stderr.decode("utf-8", "replace")
        return (Path(directory, "cell.o").read_bytes() if done.returncode == 0 else None), log


def _command(added: Additions) -> tuple[str, ...]:
    try:
        target = _TARGET[platform.machine()]
    except KeyError:
        raise MissingFeature(
            f"the lab does not know how to compile for {platform.machine()}",
            hint="it runs on " + " and ".join(_TARGET),
        ) from None
    directories = [str(_OWN_HEADERS)]
    if added.kernel_types:
        directories.append(str(vmlinux.header_directory()))
    directories.append(f"/usr/include/{platform.machine()}-linux-gnu")
    return (
        _clang(),
        *_FLAGS,
        f"-D__TARGET_ARCH_{target}",
        f"-ffile-prefix-map={_OWN_HEADERS}=lab",
        *(f"-I{directory}" for directory in directories),
        # A header of the learner's own, beside the notebook.
        *(("-iquote", os.getcwd()) if added.foreign else ()),
    )


def _included(added: Additions) -> tuple[str, ...]:
    return _include(added.headers + added.more)


def _include(headers: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for header in headers for word in ("-include", header))


def _precompiled(added: Additions) -> tuple[str, ...]:
    """The same headers, precompiled where they are many and the cache has room for it."""
    if not added.kernel_types:
        return _included(added)

    def make(directory: Path) -> None:
        step("precompiling vmlinux.h: once for each kernel")
        lines = "".join(f"#include <{header}>\n" for header in added.headers)
        subprocess.run(
            # Its headers are part of its name: when their files were written does not matter.
            [*_command(added), "-Xclang", "-fno-pch-timestamp", "-x", "c-header", "-", "-o", "headers.pch"],
            cwd=directory,
            input=lines.encode(),
            capture_output=True,
            check=True,
        )

    name = cache.digest(*added.headers, *_command(added), *_identity(added))
    try:
        made = cache.entry("pch", name, make) / "headers.pch"
    except (MissingFeature, subprocess.CalledProcessError):
        return _included(added)
    return ("-include-pch", str(made), *_include(added.more))


def _forget(headers: tuple[str, ...]) -> None:
    """Remove a precompiled header that clang cannot read: the next compilation makes it anew."""
    if headers[0] == "-include-pch":
        shutil.rmtree(Path(headers[1]).parent, ignore_errors=True)


@functools.cache
def _clang() -> str:
    names = ["clang", *(f"clang-{version}" for version in range(_NEWEST, _OLDEST - 1, -1))]
    for name in names:
        if found := shutil.which(name):
            return found
    raise MissingFeature(
        "the libbpf dialect needs clang, which is not installed", hint="sudo apt install clang"
    )


@functools.cache
def _version() -> int:
    """clang's major version, 0 where it does not say."""
    said = subprocess.run([_clang(), "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"clang version (\d+)", said)
    return int(found[1]) if found else 0


def _identity(added: Additions) -> tuple[str, ...]:
    """What identifies the compiler and the headers."""
    compiler = Path(_clang()).resolve()
    status = compiler.stat()
    kernel = vmlinux.identity() if added.kernel_types else ""
    return str(compiler), str(status.st_size), str(status.st_mtime_ns), kernel, _headers_identity()


@functools.cache
def _headers_identity() -> str:
    for directory in _LIBBPF_HEADERS:
        if (directory / "bpf_helpers.h").exists():
            files = sorted([*directory.glob("*.h"), *_OWN_HEADERS.rglob("*.h")])
            return cache.digest(*(file.read_bytes() for file in files))
    raise MissingFeature(
        "the libbpf dialect needs libbpf's headers, and <bpf/bpf_helpers.h> is not there",
        hint="sudo apt install libbpf-dev",
    )

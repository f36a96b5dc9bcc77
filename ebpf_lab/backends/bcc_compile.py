"""Compiling a text with bcc: once, or once more where something other than the text was the trouble."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ebpf_lab.backends import bcc_failure, bcc_log, bcc_package, stack
from ebpf_lab.backends.bcc_process import BccProcess, BccStopped, BccUnusable, CompiledText
from ebpf_lab.backends.bcc_text import BccText, prepare
from ebpf_lab.backends.loaded import close_all
from ebpf_lab.errors import CompileError, LabError
from ebpf_lab.source.spec import ProgramSpec

_FLAGS = (
    # Newer kernels' headers make older clangs warn at every text.
    "-Wno-ignored-attributes",
    "-Wno-duplicate-decl-specifier",
    # Older clangs only warn, and the kernel would then complain of the program's size.
    "-Werror=implicit-function-declaration",
    # It compiles to a comparison that is always false.
    "-Werror=string-compare",
)
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Compilation:
    """A text that compiled: what bcc got and made of it, and the process and descriptors that have it."""

    made: BccText
    answer: CompiledText
    process: BccProcess
    fds: list[int]

    def close(self) -> None:
        """End the process and close the descriptors."""
        self.process.close()
        close_all(self.fds)


@dataclass(frozen=True, slots=True)
class _Failed:
    """A text that did not: what bcc said of it, in its own terms and in the learner's."""

    messages: str
    log: str


def compile_text(spec: ProgramSpec, package: Path, *, explain: bool = False) -> Compilation:
    """Compile a text.

    Parameters
    ----------
    spec : ProgramSpec
    package : Path
        bcc's directory.
    explain : bool
        It is to be explained what the verifier says: the lab's counters stay out, and bcc prints which
        instruction comes from which line.

    Raises
    ------
    LabError
        As :func:`ebpf_lab.backends.bcc.build`.
    """
    tried = _try(spec, prepare(spec, counted=not explain), package, explain)
    if isinstance(tried, _Failed):
        types, structs = bcc_log.types_refused(tried.messages), bcc_failure.missing_structs(tried.log)
        if types or structs:
            tried = _try(
                spec, prepare(spec, counted=not explain, without=types, before=structs), package, explain
            )
    if isinstance(tried, _Failed):
        raise _error(tried, spec, package)
    return tried


def _error(failed: _Failed, spec: ProgramSpec, package: Path) -> LabError:
    if complaint := bcc_failure.in_headers(failed.log):
        # A text can spoil the headers that it includes; they are to blame only if they fail by themselves.
        headers = "\n".join(_INCLUDE.findall(spec.text))
        alone = replace(spec, text=headers, programs=(), streams=(), maps=(), settings={})
        tried = _try(alone, prepare(alone), package)
        if isinstance(tried, _Failed):
            return bcc_package.too_old(package, complaint, failed.log)
        tried.close()
    error = bcc_failure.not_compiled(failed.log, spec)
    if not isinstance(error, CompileError):
        return error

    def complaints(text: str) -> str:
        tried = _try(spec, prepare(replace(spec, text=text), counted=False), package)
        if isinstance(tried, _Failed):
            return tried.messages
        tried.close()
        return tried.answer.messages

    return stack.explained(error, spec.text, complaints)


def _try(spec: ProgramSpec, made: BccText, package: Path, explain: bool = False) -> Compilation | _Failed:
    process = BccProcess(package)
    try:
        answer = process.compile(made.text, [*_FLAGS, *made.flags], disassemble=explain)
        if answer.compiled:
            return Compilation(made, answer, process, answer.fds)
        messages = answer.messages
    except BccStopped as stopped:
        messages = stopped.messages
    except BccUnusable as unusable:
        process.close()
        raise bcc_package.unusable(str(unusable)) from None
    except BaseException:
        process.close()
        raise
    process.close()
    return _Failed(messages, bcc_log.compiler(messages, made, bcc_failure.lines_of(spec.programs, made)))

"""What libbpf or the kernel refused, as one of the lab's errors."""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Sequence
from typing import Any

from ebpf_lab.backends import clang
from ebpf_lab.backends.libbpf_object import LoadFailed
from ebpf_lab.backends.unsupported import locked_down, map_marks, map_refused, not_permitted, require
from ebpf_lab.diagnose.verifier import Place, rejected
from ebpf_lab.errors import AttachError, CompileError, LabError, Mark, MissingFeature
from ebpf_lab.host import kallsyms, kernel, kernel_types
from ebpf_lab.source.btf import Btf
from ebpf_lab.source.btf_ext import line_info
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.spec import ProgramSpec
from ebpf_lab.source.words import did_you_mean

_PROGRAM = re.compile(r"prog '([^']+)': (?:BPF program load failed|failed to load)")
_MAP = re.compile(r"map '([^']+)': failed to create")
_EXTERN = re.compile(r"\bextern (?:\(\w+ ksym\) )?'?(\w+)'?")
_ANY_MAP = re.compile(r"\bmap (?:def(?:inition)? )?'?(\w+)'?")


def refusal(failed: LoadFailed, spec: ProgramSpec, elf: bytes) -> LabError:
    """The error to raise when an object could not be opened or loaded."""
    if named := _PROGRAM.search(failed.messages):
        return locked_down(_program_refused(failed, named[1], spec, elf))
    if named := _MAP.search(failed.messages):
        return map_refused(named[1], failed.code, spec, failed.messages)
    if failed.code in (errno.EPERM, errno.EACCES):
        return not_permitted("load BPF programs", spec)
    return _libbpf_refused(failed, spec)


def not_in_btf(probe: Probe, failed: LoadFailed) -> AttachError:
    """The error for a function or tracepoint that the kernel's BTF does not have."""
    what = f"{probe}: the kernel's BTF has no such {'tracepoint' if probe.kind == 'tp_btf' else 'function'}"
    if probe.kind in ("fentry", "fexit") and kallsyms.names().count(probe.name):
        # pahole leaves out what has other arguments than its source says, or several definitions.
        return AttachError(
            what,
            why="the function is there, and its BTF does not describe how it is called",
            hint=f"{'kprobe' if probe.kind == 'fentry' else 'kretprobe'}:{probe.name} needs no BTF",
            log=failed.messages,
        )
    return AttachError(
        what,
        why="inlined functions, and those of modules that are not loaded, are not in it",
        log=failed.messages,
    )


def _program_refused(failed: LoadFailed, name: str, spec: ProgramSpec, elf: bytes) -> LabError:
    log = failed.logs.get(name, "")
    program = next((each for each in spec.programs if each.function == name), None)
    if not log and program is not None:
        # Without a log the verifier was never reached: the kernel refused the kind of program as such.
        require(program)
        if failed.code == errno.EPERM:
            return not_permitted("load BPF programs", spec)
    return rejected(
        log or failed.messages,
        function=name,
        text=spec.text,
        files=(clang.CELL,),
        places=places(elf, name),
        definition=program.line if program else 0,
        fields=kernel_types.fields,
        otherwise=os.strerror(failed.code),
    )


def _libbpf_refused(failed: LoadFailed, spec: ProgramSpec) -> LabError:
    lines = [line.removeprefix("libbpf: ").strip() for line in failed.messages.splitlines() if line.strip()]
    # What comes first is the cause; "failed to load object" follows from it.
    what = lines[0] if lines else os.strerror(failed.code)
    if extern := _EXTERN.search(what):
        return _declared(extern[1], spec) or _not_resolved(what, extern[1], failed, spec)
    if "open system Kconfig" in what:
        return MissingFeature(
            what,
            where=_marked(r"(\w+) __kconfig", spec),
            why="this kernel's configuration is not published: there is neither /proc/config.gz nor "
            f"/boot/config-{kernel.release()}",
            log=failed.messages,
        )
    named = _ANY_MAP.search(what)
    return CompileError(what, where=map_marks(named[1], spec) if named else (), log=failed.messages)


def _not_resolved(what: str, name: str, failed: LoadFailed, spec: ProgramSpec) -> MissingFeature:
    """The error for something of the kernel's own that the text names, and that the kernel has not."""
    why, hint = "this kernel does not export it to BPF programs", ""
    if name.startswith("CONFIG_"):
        why = f"this kernel was built without {name}"
        known = kernel.options()
        near = "" if name in known else did_you_mean(name, known)
        weak = "__kconfig __weak makes it 0 where it is not set"
        hint = f"{near} {weak}" if near else weak
    where = _marked(rf"\bextern\b[^;]*\b({re.escape(name)})\b", spec)
    return MissingFeature(what, where=where, why=why, hint=hint, log=failed.messages)


def _marked(pattern: str, spec: ProgramSpec) -> tuple[Mark, ...]:
    """The last place that the pattern's group matches in a line of the text."""
    marks: tuple[Mark, ...] = ()
    for number, line in enumerate(spec.text.splitlines(), 1):
        if found := re.search(pattern, line):
            marks = (Mark(number, line, found.start(1) + 1, len(found[1])),)
    return marks


def _declared(name: str, spec: ProgramSpec) -> CompileError | None:
    """The error for a function that the text declares as its own, and does not define."""
    if re.search(rf"\b{re.escape(name)}\b[^;]*__ksym", spec.text):
        return None
    for number, line in enumerate(spec.text.splitlines(), 1):
        if found := re.search(rf"\b{re.escape(name)}\s*\(", line):
            return CompileError(
                f"undefined function {name}",
                where=(Mark(number, line, found.start() + 1, len(name)),),
                why=f"{name} is declared, and the text does not define it",
                hint="write its body, too",
            )
    return None


def places(elf: bytes, function: str) -> Sequence[Place]:
    """The object's line records that lie in the learner's text, numbered as in this program's log."""
    from elftools.elf.elffile import ELFFile

    file = ELFFile(io.BytesIO(elf))
    symbols: Any = file.get_section_by_name(".symtab")
    symbol = next(iter(symbols.get_symbol_by_name(function) or ()), None)
    types, lines = file.get_section_by_name(".BTF"), file.get_section_by_name(".BTF.ext")
    if symbol is None or types is None or lines is None:
        return ()
    section = file.get_section(symbol["st_shndx"]).name
    start, end = symbol["st_value"], symbol["st_value"] + symbol["st_size"]
    return [
        Place(
            (record.offset - start) // 8
            if record.section == section and start <= record.offset < end
            else -1,
            record.line,
            record.column,
            record.text,
        )
        for record in line_info(Btf.parse(types.data()), lines.data())
        if record.line and os.path.basename(record.file) == clang.CELL
    ]

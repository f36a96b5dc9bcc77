"""The bcc backend: C in bcc's dialect, compiled against the kernel's headers.

bcc compiles, creates the maps and loads the programs; attaching and reading are the lab's own.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from dataclasses import replace

from ebpf_lab.backends import bcc_failure, bcc_log, bcc_package, bcc_usdt
from ebpf_lab.backends.bcc_compile import Compilation, compile_text
from ebpf_lab.backends.bcc_process import LoadAnswer
from ebpf_lab.backends.bcc_text import LOSSES, numbered
from ebpf_lab.backends.bcc_types import WITHOUT_BTF, event_types, loaded_map, read_btf
from ebpf_lab.backends.bcc_worker import LOG_SIZES
from ebpf_lab.backends.common import BuildOptions
from ebpf_lab.backends.loaded import (
    Loaded,
    LoadedMap,
    LoadedProgram,
    LoadedStream,
    LossCounter,
    close_all,
)
from ebpf_lab.backends.unsupported import locked_down, log_too_long
from ebpf_lab.diagnose.verifier import is_complete
from ebpf_lab.errors import LabError
from ebpf_lab.host.syscalls import MapType, ProgType
from ebpf_lab.host.targets import Target
from ebpf_lab.inside.program import ProgramCode, SourceLine
from ebpf_lab.readers.program_code import object_id, read_code
from ebpf_lab.source.btf import Btf
from ebpf_lab.source.ctype import CType
from ebpf_lab.source.probe import ProbeKind
from ebpf_lab.source.spec import MapDecl, Program, ProgramSpec, Stream

_TYPES: dict[ProbeKind, ProgType] = {
    "kprobe": ProgType.KPROBE,
    "kretprobe": ProgType.KPROBE,
    "ksyscall": ProgType.KPROBE,
    "kretsyscall": ProgType.KPROBE,
    "uprobe": ProgType.KPROBE,
    "uretprobe": ProgType.KPROBE,
    "usdt": ProgType.KPROBE,
    "tracepoint": ProgType.TRACEPOINT,
    "rawtracepoint": ProgType.RAW_TRACEPOINT,
    "profile": ProgType.PERF_EVENT,
    "xdp": ProgType.XDP,
    "fentry": ProgType.TRACING,
    "fexit": ProgType.TRACING,
    "lsm": ProgType.LSM,
}
_STREAMS = (MapType.RINGBUF, MapType.PERF_EVENT_ARRAY)


def build(spec: ProgramSpec, options: BuildOptions) -> BccCompiled:
    """Compile a text of the bcc dialect.  bcc creates the maps at once.

    Raises
    ------
    CompileError
        The text is not valid C, or not for BPF.
    MissingFeature
        bcc or the kernel's headers are missing, or do not fit each other.
    MissingPrivilege, UsageProblem
        The kernel did not create a map.
    """
    start = time.perf_counter()
    package = bcc_package.find()
    bcc_package.require_headers()
    for program in spec.programs:
        if program.probe and (problem := bcc_failure.unsuitable(program, spec)):
            raise problem
    return BccCompiled(spec, options, compile_text(spec, package), start)


class BccCompiled:
    """What bcc's process holds; :class:`~ebpf_lab.backends.common.Compiled` says how it is used."""

    def __init__(
        self,
        spec: ProgramSpec,
        options: BuildOptions,
        compiled: Compilation,
        start: float,
    ) -> None:
        self._spec = spec
        self._options = options
        self._compiled = compiled
        self._seconds = time.perf_counter() - start

    def close(self) -> None:
        """End bcc's process; what was loaded stays."""
        self._compiled.close()

    def load(self, targets: Mapping[str, Target]) -> Loaded:
        """Put the programs into the kernel."""
        start = time.perf_counter()
        result = Loaded("bcc", (), (), (), compile_seconds=self._seconds)
        types = self._compiled.answer.btf
        btf = None if types is None else read_btf(types)
        numbers = {object_id(fd): name for name, fd in self._compiled.answer.maps.items()}
        try:
            programs = []
            for program in self._spec.programs:
                if program.probe is not None:
                    answer = self._load(program)
                    result.fds.append(answer.fd)
                    programs.append(
                        _program(program, answer.fd, self._code(program, answer.fd, btf, numbers))
                    )
                    if self._options.log_level:
                        result.logs[program.function] = bcc_log.verifier(answer.log, self._compiled.made)
            result.programs = tuple(programs)
            self._hand_over_maps(result, btf)
        except BaseException:
            close_all(result.fds)
            raise
        result.load_seconds = time.perf_counter() - start
        return result

    def _load(self, program: Program) -> LoadAnswer:
        answer = self._ask(self._compiled, program)
        if answer.fd < 0:
            if answer.errno == errno.ENOSPC and self._options.log_level:
                raise log_too_long(LOG_SIZES[-1])
            raise self._refused(program, answer)
        return answer

    def _refused(self, program: Program, answer: LoadAnswer) -> LabError:
        if not is_complete(answer.log):
            return bcc_failure.not_verified(program, answer, self._spec)
        # The counters look for NULL where the learner may have forgotten to, and that makes the verifier
        # complain of something else.  Without them it says what it would to anyone.
        plain = compile_text(self._spec, bcc_package.find(), explain=True)
        try:
            again = self._ask(plain, program)
            if again.fd >= 0:
                os.close(again.fd)
                again = answer
        finally:
            plain.close()
        places = bcc_log.places(plain.answer.messages, plain.made, self._bcc_name(plain, program))
        log = bcc_log.verifier(again.log, plain.made, places)
        return locked_down(bcc_failure.rejected(program, again, log, places, self._spec))

    def _ask(self, compiled: Compilation, program: Program) -> LoadAnswer:
        assert program.probe is not None
        name = self._bcc_name(compiled, program)
        return compiled.process.load(name, _TYPES[program.probe.kind], self._options.log_level)

    def _bcc_name(self, compiled: Compilation, program: Program) -> str:
        name = compiled.made.functions.get(program.function, program.function)
        prefix, separator, place = name.partition("__")
        # bcc 0.27 put the module's name into the names that KFUNC_PROBE makes.
        for candidate in (name, f"{prefix}{separator}vmlinux__{place}"):
            if candidate in compiled.answer.functions:
                return candidate
        raise bcc_failure.no_program(program, self._spec)

    def _code(self, program: Program, fd: int, btf: Btf | None, maps: Mapping[int, str]) -> ProgramCode:
        return read_code(program.function, fd, btf, self._in_the_text, maps)

    def _in_the_text(self, found: SourceLine) -> SourceLine:
        quoted, number = numbered(found.text)
        if not number:
            return replace(found, file="bcc", text=quoted)
        made = self._compiled.made
        column = made.column(number, quoted, found.column)
        return replace(found, file="", line=number, column=column, text=made.line(number))

    def _hand_over_maps(self, result: Loaded, btf: Btf | None) -> None:
        answer, rings = self._compiled.answer, self._compiled.made.rings
        declared = {each.name: each for each in self._spec.maps}
        types = event_types(btf, self._compiled.made.types)
        maps = {
            name: _map(loaded_map(name, fd, btf), declared.get(name), types)
            for name, fd in answer.maps.items()
        }
        why = "" if btf else WITHOUT_BTF
        result.streams = tuple(_stream(stream, maps, types, why) for stream in self._spec.streams)
        # In the order of the text; those that a macro of the learner's declares come last.
        names = sorted(maps, key=[*declared, *maps].index)
        result.maps = tuple(
            maps[name] for name in names if name != LOSSES and maps[name].type not in _STREAMS
        )
        result.losses = tuple(LossCounter(ring, maps[LOSSES], at, 0) for at, ring in enumerate(rings))
        for fd in answer.maps.values():
            self._compiled.fds.remove(fd)
            result.fds.append(fd)


def _program(program: Program, fd: int, code: ProgramCode) -> LoadedProgram:
    assert program.probe is not None
    sites = bcc_usdt.sites(program)
    kind = _TYPES[program.probe.kind]
    return LoadedProgram(program.function, fd, kind, program.probe, sites, program.line, code)


def _map(made: LoadedMap, declared: MapDecl | None, types: Mapping[str, CType]) -> LoadedMap:
    """A map with what only its declaration says."""
    if declared is None:
        return made
    key = types.get(declared.key)
    named = key if key is not None and key.size == made.key_size else made.key
    return replace(made, histogram=declared.histogram, key=named)


def _stream(
    stream: Stream, maps: Mapping[str, LoadedMap], types: Mapping[str, CType], without_btf: str
) -> LoadedStream:
    why = stream.why
    unknown = [name for name in stream.structs if name not in types]
    if unknown:
        why = (
            without_btf
            or f"{unknown[0]} is not a complete type at file scope (is it defined within a function?)"
        )
    known = () if unknown else tuple(types[name] for name in stream.structs)
    return LoadedStream(stream.name, stream.kind, maps.get(stream.name), known, why)

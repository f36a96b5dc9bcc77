"""The libbpf backend: C with ``SEC`` names, compiled by clang, loaded by libbpf with CO-RE."""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping

from ebpf_lab.backends import clang, handover, settings
from ebpf_lab.backends.additions import Additions, additions
from ebpf_lab.backends.common import BuildOptions
from ebpf_lab.backends.libbpf_object import (
    LONG_LOG_SIZE,
    SLEEPABLE,
    XDP_HAS_FRAGS,
    BpfObject,
    BpfProgram,
    LoadFailed,
)
from ebpf_lab.backends.loaded import Loaded
from ebpf_lab.backends.refused import not_in_btf, places, refusal
from ebpf_lab.backends.unsupported import log_too_long
from ebpf_lab.diagnose.located import located
from ebpf_lab.diagnose.verifier import with_walk
from ebpf_lab.errors import LabError
from ebpf_lab.host.syscalls import ProgType
from ebpf_lab.host.targets import KernelBtf, Target
from ebpf_lab.source.btf import Btf
from ebpf_lab.source.probe import Probe, ProbeKind
from ebpf_lab.source.spec import Program, ProgramSpec

# Attach types (``enum bpf_attach_type`` in ``include/uapi/linux/bpf.h``) that matter when loading.
_RAW_TP, _FENTRY, _FEXIT, _LSM_MAC, _XDP = 23, 24, 25, 27, 37
_RAW_TRACEPOINT_WRITABLE = 24

_TYPES: dict[ProbeKind, tuple[int, int]] = {
    "kprobe": (ProgType.KPROBE, 0),
    "kretprobe": (ProgType.KPROBE, 0),
    "ksyscall": (ProgType.KPROBE, 0),
    "kretsyscall": (ProgType.KPROBE, 0),
    "uprobe": (ProgType.KPROBE, 0),
    "uretprobe": (ProgType.KPROBE, 0),
    "usdt": (ProgType.KPROBE, 0),
    "tracepoint": (ProgType.TRACEPOINT, 0),
    "rawtracepoint": (ProgType.RAW_TRACEPOINT, 0),
    "profile": (ProgType.PERF_EVENT, 0),
    "xdp": (ProgType.XDP, _XDP),
    "tp_btf": (ProgType.TRACING, _RAW_TP),
    "fentry": (ProgType.TRACING, _FENTRY),
    "fexit": (ProgType.TRACING, _FEXIT),
    "lsm": (ProgType.LSM, _LSM_MAC),
}
_BY_BTF = (ProgType.TRACING, ProgType.LSM)

_WALKS, _STATISTICS_ONLY = (1, 2), 4  # BPF_LOG_LEVEL1, BPF_LOG_LEVEL2, BPF_LOG_STATS


def build(spec: ProgramSpec, options: BuildOptions) -> LibbpfCompiled:
    """Compile a text of the libbpf dialect.

    Raises
    ------
    CompileError
        The text is not valid C, or not for BPF.
    MissingFeature
        clang, libbpf's headers or the kernel's BTF is missing.
    """
    return LibbpfCompiled(spec, options, additions(spec))


class LibbpfCompiled:
    """An object file in memory; :class:`~ebpf_lab.backends.common.Compiled` says how it is used."""

    def __init__(self, spec: ProgramSpec, options: BuildOptions, added: Additions) -> None:
        start = time.perf_counter()
        self._spec = spec
        self._options = options
        self._added = added
        self._made = clang.object_of(spec.text, added, use_cache=options.cache, reason=spec.dialect_reason)
        self._seconds = time.perf_counter() - start

    def close(self) -> None:
        """Nothing to do: an object file in memory holds nothing."""

    def load(self, targets: Mapping[str, Target]) -> Loaded:
        """Put programs and maps into the kernel."""
        start = time.perf_counter()
        try:
            loaded = self._load(self._made.elf, targets, self._options.log_level)
        except LoadFailed as failed:
            error = self._explained(failed, targets)
            error.warnings = self._made.warnings
            raise error from None
        loaded.compile_seconds = self._seconds
        loaded.load_seconds = time.perf_counter() - start
        loaded.cached = self._made.cached
        loaded.warnings = self._made.warnings
        return loaded

    def _load(self, elf: bytes, targets: Mapping[str, Target], log_level: int) -> Loaded:
        with BpfObject(elf, long_logs=log_level in _WALKS) as opened:
            btf = Btf.parse(opened.btf)
            settings.apply(self._spec.settings, settings.variables(btf, opened.maps), opened.maps)
            wanted = {program.function: program for program in self._spec.programs}
            for name, program in opened.programs.items():
                if name in wanted:
                    _configure(program, wanted[name], targets.get(name), log_level)
                else:
                    program.skip()
            # Read before loading: libbpf 1.5 forgets what a section held once the kernel has it.
            counters = opened.maps[handover.LOSSES].initial if handover.LOSSES in opened.maps else b""
            opened.load()
            result = handover.loaded(opened, btf, self._spec, self._added.types, counters)
            if log_level:
                names = [each.function for each in result.programs]
                result.logs = {
                    name: located(opened.programs[name].log, places(elf, name), clang.CELL) for name in names
                }
            return result

    def _explained(self, failed: LoadFailed, targets: Mapping[str, Target]) -> LabError:
        elf = self._made.elf
        wanted = failed.code == errno.ENOSPC and self._options.log_level in _WALKS
        if wanted and self._failure(elf, targets, _STATISTICS_ONLY) is None:
            return log_too_long(LONG_LOG_SIZE)
        if failed.logs and handover.LOSSES.encode() in elf:
            # What the verifier says must be about the learner's program: counting failed reserves looks at
            # their result, which would make an unchecked NULL pointer another error than it is.
            plain = clang.object_of(
                self._spec.text,
                self._added.uncounted(),
                use_cache=self._options.cache,
                reason=self._spec.dialect_reason,
            ).elf
            if again := self._failure(plain, targets, self._options.log_level):
                elf, failed = plain, again
        if failed.log_cut_short and (short := self._failure(elf, targets, _STATISTICS_ONLY)):
            # The kernel reports a log that does not fit in place of the error it tells of, and before 6.4
            # keeps its beginning only.  At this level it says what is wrong, and not how it got there.
            short.logs = {name: with_walk(log, failed.logs.get(name, "")) for name, log in short.logs.items()}
            failed = short
        return refusal(failed, self._spec, elf)

    def _failure(self, elf: bytes, targets: Mapping[str, Target], log_level: int) -> LoadFailed | None:
        try:
            self._load(elf, targets, log_level).close()
        except LoadFailed as failed:
            return failed
        return None


def _configure(program: BpfProgram, wanted: Program, target: Target | None, log_level: int) -> None:
    probe = wanted.probe
    if probe is None:
        program.skip()
        return
    section = wanted.section.partition("/")[0]
    program_type, attach_type = _TYPES[probe.kind]
    if probe.kind == "rawtracepoint" and section.endswith(".w"):
        program_type = _RAW_TRACEPOINT_WRITABLE
    # A section may say that the program sleeps where --attach names the probe.
    sleepable = probe.sleepable or section.endswith(".s")
    flags = SLEEPABLE if sleepable else XDP_HAS_FRAGS if section == "xdp.frags" else 0
    program.configure(program_type, attach_type, flags=flags, log_level=log_level)
    if program_type in _BY_BTF:
        try:
            program.set_target(_function(probe, target))
        except LoadFailed as failed:
            raise not_in_btf(probe, failed) from None


def _function(probe: Probe, target: Target | None) -> str:
    # fentry:sys_clone is another function on each architecture; tracepoints and LSM hooks have one name, to
    # which libbpf adds a prefix of its own.
    if probe.kind in ("fentry", "fexit") and isinstance(target, KernelBtf):
        return target.function
    return probe.name

"""What a trace's programs became in the kernel, named from the running kernel's symbols."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ebpf_lab.backends.clang import CELL
from ebpf_lab.errors import LabError, MissingFeature, MissingPrivilege
from ebpf_lab.host import kallsyms, privileges
from ebpf_lab.host.symbols import KernelSymbols
from ebpf_lab.inside import listing, placed, walk
from ebpf_lab.inside.flow import basic_blocks
from ebpf_lab.inside.known import Known, known
from ebpf_lab.inside.listing import Listing
from ebpf_lab.inside.names import Symbols
from ebpf_lab.inside.parts import Part, Shown, grouped, measures, sampled
from ebpf_lab.inside.placed import PlacedNative
from ebpf_lab.inside.program import Function, ProgramCode, Samples
from ebpf_lab.inside.view import Inside
from ebpf_lab.plots import colours
from ebpf_lab.source.spec import ProgramSpec
from ebpf_lab.stats import Stats

_JIT_ENABLE = Path("/proc/sys/net/core/bpf_jit_enable")
_NOBODY = 2
"""Value of kernel.kptr_restrict that hides addresses even from root."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel that programs were loaded into.

    Attributes
    ----------
    machine : str
        The architecture, as uname has it.
    symbols : callable
        The name of an address of the kernel's.
    call_base : callable
        The address of its ``__bpf_call_base``, 0 when unknown.
    hidden : callable
        Why it keeps code to itself, given what was to be done with it.
    uncompiled : callable
        Why it compiled nothing.
    """

    machine: str
    symbols: Symbols
    call_base: Callable[[], int]
    hidden: Callable[[str], LabError]
    uncompiled: Callable[[], LabError]

    @classmethod
    def running(cls) -> Kernel:
        """This machine's."""
        return cls(
            platform.machine(),
            _symbols(),
            lambda: kallsyms.names().address("__bpf_call_base"),
            _hidden,
            _not_compiled,
        )


def disassembly(codes: Sequence[ProgramCode], kernel: Kernel | None = None) -> Listing:
    """Bytecode of these programs, in the running kernel unless told.

    Raises
    ------
    MissingPrivilege
        The kernel keeps it to itself.
    """
    kernel = kernel or Kernel.running()
    if any(not each.bytecode for each in codes):
        raise kernel.hidden("see the bytecode of a loaded program")
    return listing.of_bytecode(codes, kernel.symbols, kernel.call_base())


def jited(codes: Sequence[ProgramCode], kernel: Kernel | None = None) -> Listing:
    """Native code of these programs, in the running kernel unless told.

    Raises
    ------
    MissingFeature
        There is none, or no disassembler for it.
    MissingPrivilege
        The kernel keeps it to itself.
    """
    kernel = kernel or Kernel.running()
    compiled = [each for each in codes if each.native_size]
    if not compiled:
        raise kernel.uncompiled()
    if any(each.hidden for each in compiled):
        raise kernel.hidden("see the native code of a loaded program")
    return listing.of_native(compiled, kernel.symbols, kernel.machine)


def inside(
    codes: Sequence[ProgramCode],
    spec: ProgramSpec,
    stats: Stats,
    logs: Mapping[str, str] | LabError,
    samples: Samples | None = None,
    kernel: Kernel | None = None,
) -> Inside:
    """All of these programs, beside each other; the running kernel's unless told.

    Parameters
    ----------
    codes : sequence of ProgramCode
    spec : ProgramSpec
        Their text.
    stats : Stats
        How often they ran.
    logs : mapping or LabError
        What the verifier said of each, or why that is not known.
    samples : Samples, optional
        Where the processors were found meanwhile.
    kernel : Kernel, optional

    Raises
    ------
    MissingPrivilege
        The kernel keeps their code to itself.
    """
    kernel = kernel or Kernel.running()
    if any(not each.bytecode for each in codes):
        raise kernel.hidden("see the bytecode of a loaded program")
    notes = [f"without the verifier's states: {logs}"] if isinstance(logs, LabError) else []
    probes = {program.function: str(program.probe) for program in spec.programs}
    programs = []
    for code in codes:
        natives, missing = _natives(code, kernel)
        notes += [missing] if missing and missing not in notes else []
        parts = []
        for at, (function, instructions) in enumerate(
            placed.bytecode_of(code, kernel.symbols, kernel.call_base())
        ):
            native = natives[at][1] if at < len(natives) else []
            groups = grouped(instructions, native)
            parts.append(Part(function, groups, basic_blocks([each.instruction for each in instructions])))
        log = "" if isinstance(logs, LabError) else logs.get(code.name, "")
        running = [(each.instruction.number, each.text) for part in parts for each in part.instructions]
        found = known(log, (CELL,), running) if log else None
        groups = [group for part in parts for group in part.groups]
        facts = (probes.get(code.name, ""), *_runs(stats, code.name), *_size(parts, found))
        hits = sampled(groups, samples)
        made = measures(groups, found, hits, samples.frequency if samples else 0)
        programs.append(Shown(code.name, tuple(filter(None, facts)), tuple(parts), found, made, hits))
    notes += _unsampled(samples)
    return Inside(tuple(programs), spec.text, tuple(notes), colours.css())


def _unsampled(samples: Samples | None) -> Iterator[str]:
    """What is missing of samples that were taken."""
    if samples is None:
        return
    if not samples.found:
        yield f"without run cost: of {samples.taken:,} samples none met these programs, which ran too briefly"
    if samples.lost:
        yield f"run cost is incomplete: there was no room for {samples.lost:,} of the samples"


def _natives(code: ProgramCode, kernel: Kernel) -> tuple[list[tuple[Function, list[PlacedNative]]], str]:
    """A program's native code, or why there is none."""
    error: LabError
    if not code.native_size:
        error = kernel.uncompiled()
    elif code.hidden:
        error = kernel.hidden("see the native code of a loaded program")
    else:
        try:
            return placed.native_of(code, kernel.symbols, kernel.machine), ""
        except MissingFeature as missing:
            error = missing
    return [], f"without native code: {error}"


def _runs(stats: Stats, name: str) -> Iterator[str]:
    program = stats.programs.get(name)
    if program is None:
        return
    if program.runs is None:
        yield f"runs not counted ({stats.why})"
        return
    yield f"{program.runs:,} run{'' if program.runs == 1 else 's'}"
    if program.ns_per_run is not None:
        yield f"{program.ns_per_run:,.0f} ns each"


def _size(parts: Sequence[Part], found: Known | None) -> Iterator[str]:
    yield f"{sum(len(part.instructions) for part in parts):,} instructions"
    natives = sum(len(group.native) for part in parts for group in part.groups)
    if natives:
        yield f"{natives:,} native ones"
    if found is not None:
        ways = f"{found.paths:,} path{'' if found.paths == 1 else 's'}"
        last = "" if found.whole else "the last "
        yield f"{last}{found.steps:,} steps of the verifier on {ways}"


def verifier_logs(spec: ProgramSpec, level: int) -> dict[str, str]:
    """What the verifier says of each program of a text, which is loaded once more for it.

    Raises
    ------
    LabError
        As loading does.
    """
    # Here, because only a kernel of one's own needs it: recorded logs are read anywhere.
    from ebpf_lab.backends.common import BuildOptions, backend_for
    from ebpf_lab.running import placed

    spec, places, _ = placed(spec)
    compiled = backend_for(spec.dialect)(spec, BuildOptions(log_level=level))
    try:
        loaded = compiled.load(places)
    finally:
        compiled.close()
    loaded.close()
    return loaded.logs


def walked(logs: Mapping[str, str], text: str) -> Listing:
    """How the verifier walked through the programs of a text."""
    return walk.of_logs(logs, text, (CELL,))


def _symbols() -> Symbols:
    known = cache(KernelSymbols.of_running_kernel)

    def name(address: int) -> str:
        (found,) = known().lookup(np.array([address], np.uint64))
        return "" if found.startswith("0x") else found

    return name


def _hidden(action: str) -> LabError:
    have = privileges.current()
    if have.kptr_restrict == _NOBODY:
        return MissingPrivilege(
            f"may not {action}",
            why="kernel.kptr_restrict is 2: the kernel shows its addresses to nobody",
            hint="sudo sysctl kernel.kptr_restrict=1, and run the trace again",
        )
    return privileges.explain(action, privileges.ADDRESSES, have)


def _not_compiled() -> LabError:
    try:
        enabled = _JIT_ENABLE.read_text().strip()
    except OSError:
        enabled = ""
    what = "there is no native code: the kernel interprets these programs"
    if enabled == "0":
        return MissingFeature(
            what,
            why="its compiler is off (net.core.bpf_jit_enable is 0)",
            hint="sudo sysctl net.core.bpf_jit_enable=1, and run the trace again",
        )
    return MissingFeature(what, why="it was built without a compiler for BPF, or that could not take them")

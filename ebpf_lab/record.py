"""From a trace that has ended, or failed, to its recording."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import replace

from ebpf_lab import inspection
from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.errors import LabError, Mark, UsageProblem
from ebpf_lab.inside.program import ProgramCode
from ebpf_lab.inspection import Kernel
from ebpf_lab.readers.maps import MapContents
from ebpf_lab.recordings import limits
from ebpf_lab.recordings.files import save
from ebpf_lab.recordings.model import Made, Outcome, Programs, RecordedStream, Recording
from ebpf_lab.results import MapsRead, Results
from ebpf_lab.source.spec import ProgramSpec
from ebpf_lab.tape import Tape

_LEVEL = 2
"""The verifier's log that is recorded: of every path."""


def record(
    tape: Tape,
    spec: ProgramSpec,
    results: Results,
    codes: Sequence[ProgramCode],
    warnings: Sequence[Mark],
    status: int | None,
) -> None:
    """Write the recording of a trace that has ended.

    Parameters
    ----------
    tape : Tape
        What it left while it ran.
    spec : ProgramSpec
        What was asked for.
    results : Results
        What it brought, with the tape's names.
    codes : sequence of ProgramCode
    warnings : sequence of Mark
        What the compiler warned of.
    status : int or None
        The command's.

    Raises
    ------
    UsageProblem
        The file cannot be written.
    RecordingDamaged
        The trace holds what recordings cannot.
    """
    # Decoding is what asks for names.  The frames stay with the results, for whom wants to see them.
    _ = results.frames, results.maps, results.notes
    account = results.account
    maps = MapsRead([*_bounded(account.maps)], account.maps.stacks)
    outcome = Outcome(
        account=replace(account, maps=maps),
        functions=tuple(each.function for each in results.spec.programs),
        streams=tuple(
            RecordedStream(
                each.stream, *tape.batches(each.stream.name), each.stats.delivered, each.stats.dropped
            )
            for each in results.streams
        ),
        inherited=tape.inherited,
        directory=tape.directory,
        names=tape.book,
        programs=_programs(tape, spec, codes),
        warnings=tuple(warnings),
        output=bytes(tape.printed) if tape.heard else None,
        status=status,
    )
    made = _made(account.clock.start_wall_ns)
    save(tape.path, Recording(made, spec.text, spec.dialect.value, tape.asked, outcome=outcome))


def record_failure(tape: Tape, spec: ProgramSpec, error: LabError) -> None:
    """Write the recording of a trace that failed."""
    made = _made(time.time_ns())
    save(tape.path, Recording(made, spec.text, spec.dialect.value, tape.asked, error=error))


def _made(wall_ns: int) -> Made:
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(wall_ns // 1_000_000_000))
    try:
        lab = importlib.metadata.version("ebpf-lab")
    except importlib.metadata.PackageNotFoundError:  # it runs from its sources
        lab = "uninstalled"
    kernel, machine = (re.sub(r"[^\w.+~-]", "_", each) for each in (platform.release(), platform.machine()))
    return Made(kernel, machine, when, lab)


def _bounded(maps: MapsRead) -> Sequence[tuple[LoadedMap, MapContents]]:
    room = limits.MAPS
    found = []
    for source, read in maps.tables:
        size = read.keys.nbytes + read.values.nbytes
        if size > room:
            why = f"too large for a recording ({size:,} bytes)"
            read = MapContents(read.keys[:0], read.values[:0], why=why)
            size = 0
        room -= size
        found.append((source, read))
    return found


def _programs(tape: Tape, spec: ProgramSpec, codes: Sequence[ProgramCode]) -> Programs:
    kernel = Kernel.running()
    absent: dict[str, LabError] = {}

    def noted(address: int) -> str:
        name = kernel.symbols(address)
        if name and len(tape.book) < limits.NAMES:
            tape.book.kernel[address] = name
        return name

    noting = replace(kernel, symbols=noted)
    for what, show in (("bytecode", inspection.disassembly), ("native", inspection.jited)):
        try:
            show(codes, noting)  # which asks for the names of all that is called
        except LabError as error:
            absent[what] = error
    logs: dict[str, str] = {}
    try:
        logs = inspection.verifier_logs(spec, _LEVEL)
        if longest := max((len(each) for each in logs.values() if len(each) > limits.LOG), default=0):
            logs = {}
            absent["verifier"] = UsageProblem(
                "the verifier's log was not recorded", why=f"it has {longest:,} characters"
            )
    except LabError as error:
        absent["verifier"] = error
    return Programs(tuple(codes), kernel.call_base(), logs, absent)

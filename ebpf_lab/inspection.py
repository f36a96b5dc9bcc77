"""What a trace's programs became in the kernel, named from the running kernel's symbols."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ebpf_lab.backends.clang import CELL
from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.errors import LabError, MissingFeature, MissingPrivilege
from ebpf_lab.host import kallsyms, privileges
from ebpf_lab.host.symbols import KernelSymbols
from ebpf_lab.inside import listing, walk
from ebpf_lab.inside.listing import Listing
from ebpf_lab.inside.names import Symbols
from ebpf_lab.inside.program import ProgramCode
from ebpf_lab.running import placed
from ebpf_lab.source.spec import ProgramSpec

_JIT_ENABLE = Path("/proc/sys/net/core/bpf_jit_enable")
_NOBODY = 2
"""Value of kernel.kptr_restrict that hides addresses even from root."""


def disassembly(codes: Sequence[ProgramCode]) -> Listing:
    """Bytecode of these programs.

    Raises
    ------
    MissingPrivilege
        The kernel keeps it to itself.
    """
    if any(not each.bytecode for each in codes):
        raise _hidden("see the bytecode of a loaded program")
    base = kallsyms.names().address("__bpf_call_base")
    return listing.of_bytecode(codes, _symbols(), base)


def jited(codes: Sequence[ProgramCode]) -> Listing:
    """Native code of these programs.

    Raises
    ------
    MissingFeature
        There is none, or no disassembler for it.
    MissingPrivilege
        The kernel keeps it to itself.
    """
    compiled = [each for each in codes if each.native_size]
    if not compiled:
        raise _not_compiled()
    if any(each.hidden for each in compiled):
        raise _hidden("see the native code of a loaded program")
    return listing.of_native(compiled, _symbols(), platform.machine())


def verifier_log(spec: ProgramSpec, level: int) -> Listing:
    """How the verifier walks through the programs of a text, which are loaded once more for it.

    Raises
    ------
    LabError
        As loading does.
    """
    spec, places, _ = placed(spec)
    compiled = backend_for(spec.dialect)(spec, BuildOptions(log_level=level))
    try:
        loaded = compiled.load(places)
    finally:
        compiled.close()
    loaded.close()
    return walk.of_logs(loaded.logs, spec.text, (CELL,))


def _symbols() -> Symbols:
    known = KernelSymbols.of_running_kernel()

    def name(address: int) -> str:
        (found,) = known.lookup(np.array([address], np.uint64))
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

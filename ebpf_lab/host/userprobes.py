"""From "libc:printf" to the place in the file that a uprobe goes on."""

from __future__ import annotations

import ctypes
import os

from ebpf_lab.errors import AttachError
from ebpf_lab.host import instructions, libraries, maps
from ebpf_lab.host.elf import Elf, Symbol, open_elf
from ebpf_lab.nearest import suggestion
from ebpf_lab.source.probe import Probe


def locate(probe: Probe) -> tuple[str, int]:
    """File and offset in it that a ``uprobe`` or ``uretprobe`` goes on.

    A symbol may carry a version ("memcpy@GLIBC_2.14"); without one, that is meant which a program linked
    today would get.  A bare address is one of the file as ``nm`` and ``objdump`` print it.

    Raises
    ------
    AttachError
        No such file, symbol or code.
    """
    path = libraries.find(probe.binary)
    elf = open_elf(path)
    if not probe.name:
        offset = _code(elf, probe.offset, f"{probe.offset:#x}")
        within = elf.function_at(probe.offset)
        if probe.kind == "uretprobe" and within and within[1]:
            raise AttachError(
                f"{probe.offset:#x} is not the beginning of {within[0]}",
                why="a uretprobe replaces the return address, which is on top of the stack only there",
                hint=f"uretprobe:{probe.binary}:{within[0]}",
            )
        instructions.check(elf, probe.offset)
        return path, offset
    symbol = _one(elf, probe)
    if symbol.size and probe.offset >= symbol.size:
        raise AttachError(
            f"{probe.name}+{probe.offset:#x} is behind the end of {probe.name}",
            why=f"the function in {path} has {symbol.size} bytes ({symbol.size:#x})",
        )
    if symbol.indirect:
        if probe.offset:
            raise AttachError(
                f"{probe.name} has no offsets: it is one of several functions, chosen by the CPU",
                hint=f"probe its beginning: {probe.kind}:{probe.binary}:{probe.name}",
            )
        return path, _implementation(elf, symbol)
    offset = _code(elf, symbol.address + probe.offset, probe.name)
    if probe.offset:
        instructions.check(elf, symbol.address + probe.offset)
    return path, offset


def _one(elf: Elf, probe: Probe) -> Symbol:
    name, _, version = probe.name.partition("@")
    version = version.lstrip("@")
    found = elf.functions(name)
    if version:
        matching = [symbol for symbol in found if symbol.version == version]
        if found and not matching:
            raise AttachError(
                f"{name} has no version {version} in {elf.path}",
                hint=f"it has {', '.join(sorted(symbol.version or 'none' for symbol in found))}",
            )
        found = matching
    if not found:
        raise _unknown(elf, name)
    # Programs get the default version, and an exported function hides local ones of its name.
    exported = [symbol for symbol in found if symbol.exported]
    found = [symbol for symbol in exported if symbol.default] or exported or found
    if len(found) == 1:
        return found[0]
    raise AttachError(
        f"{len(found)} functions are called {name} in {elf.path}",
        why="each source file may have a static one of its own",
        hint="name one by its address: "
        + ", ".join(f"{probe.kind}:{probe.binary}:{symbol.address:#x}" for symbol in found[:4]),
    )


def _unknown(elf: Elf, name: str) -> AttachError:
    what = f"{elf.path} has no function {name}"
    if elf.has_data(name):
        return AttachError(
            what, why=f"{name} is a variable there", hint="probe a function that reads or writes it"
        )
    if elf.imports(name):
        return AttachError(
            what,
            why=f"it calls {name} in another library",
            hint=f"probe the library, as in uprobe:libc:{name} (ldd {elf.path} lists its libraries)",
        )
    if elf.imports(f"__{name}_chk"):
        return AttachError(
            what,
            why=f"it was compiled with _FORTIFY_SOURCE, and calls __{name}_chk in another library instead",
            hint=f"probe that, as in uprobe:libc:__{name}_chk",
        )
    names = elf.function_names()
    if not names:
        return AttachError(
            what,
            why="the file is stripped: it lists no functions",
            hint="probe a library function that it calls, as uprobe:libc:write, or an address of objdump -d",
        )
    near = suggestion(name, names)
    return AttachError(
        what,
        # What a learner meets first: the C text has the function, and the file has not.
        why="" if near else "where a compiler puts a function into its callers (inlines it), no name stays",
        hint=near or f"%bpf probes uprobe:{elf.path}:* lists what there is",
    )


def _code(elf: Elf, address: int, name: str) -> int:
    offset = elf.file_offset(address)
    if offset is None:
        parts = ", ".join(
            f"{part.address:#x} to {part.address + part.size:#x}" for part in elf.segments if part.executable
        )
        raise AttachError(f"{name} is not in the code of {elf.path}", why=f"its code is at {parts}")
    return offset


def _implementation(elf: Elf, symbol: Symbol) -> int:
    """File offset of the function that an IFUNC chooses on this CPU.

    A probe at the symbol itself would fire once, when the loader asks it to choose.  The choice depends on
    the CPU alone, so that the one made for this process is everybody's.
    """
    pointer = _loaded_address(elf.path, symbol.name)
    for mapping in maps.executable() if pointer else ():
        if mapping.start <= pointer < mapping.end:
            if mapping.path == elf.path:
                return pointer - mapping.start + mapping.offset
            break
    raise AttachError(
        f"{symbol.name} in {elf.path} is an IFUNC",
        why="its address is of code that chooses, when a program starts, one of several functions",
        hint=f"probe the one that is chosen; %bpf probes uprobe:{elf.path}:*{symbol.name}* may list them",
    )


def _loaded_address(path: str, name: str) -> int:
    # RTLD_NOLOAD: only a library that this process has anyway; loading one would run its initialisers.
    try:
        library = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    except (OSError, AttributeError):
        return 0

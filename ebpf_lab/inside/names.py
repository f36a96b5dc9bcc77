"""Names in place of the numbers in a loaded program: maps, global variables, functions, helpers."""

from __future__ import annotations

from collections.abc import Callable

from ebpf_lab.inside import bytecode
from ebpf_lab.inside.bytecode import Instruction
from ebpf_lab.inside.program import ProgramCode

Symbols = Callable[[int], str]
"""The name of a kernel address, "" for none."""

HIDDEN = "(hidden)"
"""What stands for an address that the kernel does not show to this process."""


class Names:
    """Writes the instructions of a program.

    Parameters
    ----------
    code : ProgramCode
    symbols : callable
    call_base : int
        Where the kernel counts addresses of helpers from (``__bpf_call_base``), 0 when unknown.
    """

    def __init__(self, code: ProgramCode, symbols: Symbols, call_base: int) -> None:
        self._code = code
        self._symbols = symbols
        self._call_base = call_base
        self._functions = {each.start: each.name for each in code.functions}

    def text(self, instruction: Instruction) -> str:
        """The instruction as the verifier writes it, with names."""
        return bytecode.text(instruction, self._call, self._wide)

    def _call(self, instruction: Instruction) -> str:
        if instruction.source == bytecode.TO_FUNCTION:
            return self._function(instruction)
        if instruction.value == bytecode.TAIL_CALL:
            return "bpf_tail_call"
        if not instruction.value or not self._call_base:
            return HIDDEN
        address = self._call_base + instruction.value
        return self._symbols(address) or f"{address:#x}"

    def _function(self, instruction: Instruction) -> str:
        name = self._functions.get(-1 if instruction.target is None else instruction.target, "")
        return name or f"pc{instruction.offset or instruction.value:+d}"

    def _wide(self, instruction: Instruction) -> str:
        if instruction.source == bytecode.FUNCTION:
            return f"func[{self._function(instruction)}]"
        if instruction.source not in (bytecode.MAP, bytecode.MAP_VALUE):
            number = bytecode.number_of(instruction)
            return f"{number:#x}" if number or not self._code.hidden else HIDDEN
        name = self._code.maps.get(instruction.value, f"id {instruction.value}")
        if instruction.source == bytecode.MAP:
            return f"map[{name}]"
        at = instruction.upper
        variable = self._code.variables.get(name, {}).get(at, "")
        return f"map[{name}]{at:+d}" + (f" ({variable})" if variable else "")

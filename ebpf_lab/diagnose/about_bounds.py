"""What there is to say of an access beyond its memory: the range, the check that let it through, the room."""

from __future__ import annotations

import re

from tree_sitter import Node

from ebpf_lab.diagnose.expressions import index_in, stricter
from ebpf_lab.diagnose.lineage import Check, Lineage
from ebpf_lab.diagnose.scene import Scene
from ebpf_lab.diagnose.values import span
from ebpf_lab.source.tree import child, text, walk

_TOUCHED = re.compile(r"\boff=(-?\d{1,19}) size=(\d{1,9})")
_LIMIT = re.compile(r"(?:value_size|mem_size)=(\d{1,12})")
_COMPARED = re.compile(r"\br=(\d{1,9})")
_SIGNED = frozenset({"int", "long", "short", "char", "s64", "s32", "s16", "s8", "__s64", "__s32"})


def bounds(scene: Scene, register: str, lineage: Lineage) -> None:
    """An access to a map's value, to the stack or to other memory."""
    made, code = scene.made, scene.code
    touched, limit = _TOUCHED.search(scene.error), _LIMIT.search(scene.error)
    node = code.node(scene.line, scene.column, "access")
    room = _room(scene, register, lineage)
    note = _reach(scene, register, touched, limit)
    check = _last_check(scene, lineage)
    index, array = index_in(node), _array(node)
    elements = code.array_size(array) if array else 0
    if check is not None and check.value is not None:
        _mark_check(scene, check, elements or room, array=array if elements else "")
        if not (check.value.low >= 0 or not room) and index:
            made.why = "the index can be negative here, which is before the beginning of the memory"
            made.hint = f"if ({index} < 0) {code.leave(scene.line)}"
        elif room and check.value.high == room:
            line, column = scene.locate(check.at)
            condition = code.node(line, column, "check")
            mended = stricter(text(condition), room) if condition is not None else ""
            made.hint = f"if ({mended}) {code.leave(line)}" if mended else ""
    elif index and not touched:
        fits = elements or room
        note = f"room for {index} from 0 to {fits - 1}, and nothing bounds it" if fits else ""
        limit_text = str(fits) if fits else code.array_length(array)
        if limit_text:
            bound = f"{index} >= {limit_text}"
            bound = f"{index} < 0 || {bound}" if _signed(scene, index) else bound
            made.hint = f"if ({bound}) {code.leave(scene.line)}"
    elif touched:
        _given_size(scene, register, int(touched[2]))
    else:
        read_again = _earlier_read(scene, lineage, node)
        if read_again >= 0:
            scene.mark_step(read_again, "check", "this checked what was read then: it is read again below")
            made.why = "what was checked is not what is used: it may have changed in between"
    scene.mark_failure(note, argument=scene.argument(register))


def packet(scene: Scene) -> None:
    """An access to a packet further than it was compared with its end."""
    touched, compared = _TOUCHED.search(scene.error), _COMPARED.search(scene.error)
    note = ""
    if touched and compared:
        offset, size, known = int(touched[1]), int(touched[2]), int(compared[1])
        note = f"{_bytes(size)} at offset {offset} of the packet: "
        note += f"only its first {known} are known to be there" if known else "nothing was checked"
        at = _compared_with_end(scene) if known else -1
        if at >= 0:
            scene.mark_step(at, "check", f"lets packets of {known} bytes through")
    code = scene.code
    node = code.node(scene.line, scene.column, "access")
    pointer, context = child(node, "argument"), code.first_parameter(scene.line)
    if pointer is not None and pointer.type == "identifier" and text(child(node, "operator")) == "->":
        known_end = code.variable_from("data_end", scene.line)
        end = known_end or (f"(void *)(long){context}->data_end" if context else "")
        if end:
            scene.made.hint = f"if ((void *)({text(pointer)} + 1) > {end}) {code.leave(scene.line)}"
    scene.mark_failure(note)


def size(scene: Scene, name: str, register: str, lineage: Lineage) -> None:
    """The size that a helper is given."""
    made, code, argument = scene.made, scene.code, scene.argument(register)
    given = _given(scene, argument)
    variable = text(given) if given is not None and given.type == "identifier" else ""
    number = int(register[1:]) if register[1:].isdecimal() else 0
    memory = scene.held(f"R{number - 1}") if number > 1 else None
    room = memory.size - memory.fixed if memory is not None and memory.size else 0
    if not room and memory is not None and argument > 1:
        room = code.array_size(text(_given(scene, argument - 1)), of_bytes=True)
    value = scene.held(register)
    note = f"this can be {value.words}" if value is not None else ""
    if room and name != "zero size":
        note += f"; the memory has {room} bytes"
    check = _last_check(scene, lineage)
    if check is not None:
        _mark_check(scene, check, 0)
    known = check.value if check is not None else value
    leave = code.leave(scene.line)
    if name == "zero size":
        # Kernels that do not say the range learn nothing from a comparison with zero alone.
        made.hint = f"if ({variable} == 0) {leave}" if variable and "u64=" in scene.error else ""
    elif variable and room and known is not None:
        # What is too large may be what is negative, seen without its sign.
        negative = _signed(scene, variable) and (known.low < 0 or known.high >= 1 << 31)
        bounds = [f"{variable} < 0"] * negative
        bounds += [f"{variable} > {room}"] * (known.high > room or not bounds)
        made.hint = f"if ({' || '.join(bounds)}) {leave}"
        if negative and known.high <= room:
            made.why = "the size can be negative here: without its sign that is a huge number"
    elif scene.instruction.name.startswith("bpf_probe_read") and _is_constant(scene, "R3"):
        made.hint = f"{scene.instruction.name}(destination, size, source): the size comes second"
    scene.mark_failure(note, argument=argument)


def _is_constant(scene: Scene, register: str) -> bool:
    value = scene.held(register)
    return value is not None and value.constant is not None


def _reach(scene: Scene, register: str, touched: re.Match[str] | None, limit: re.Match[str] | None) -> str:
    """How far the access reaches, and which rule that breaks."""
    if not touched:
        return ""
    offset, size = int(touched[1]), int(touched[2])
    if _memory(scene) == "stack":
        left = f"only {-offset} are left to its top" if -512 <= offset < 0 else "the stack has 512"
        return f"{_bytes(size)} of the stack would be touched; {left}"
    if not limit:
        return ""
    memory = _memory(scene)
    where = f"{_bytes(size)} at offset {offset}"
    pointer = scene.held(register)
    indexed = pointer is None or pointer.low != pointer.high
    scene.made.why = (
        "the index or size can be larger than the memory: indices count from 0"
        if indexed
        else f"this reaches beyond the end of the {memory}"
    )
    if offset < 0:
        return f"{where} would be touched; the {memory} begins at 0"
    return f"{where} would be touched; the {memory} ends at {limit[1]}"


def _memory(scene: Scene) -> str:
    if "map value" in scene.error:
        return "value"
    return "stack" if "stack" in scene.error else "memory"


def _room(scene: Scene, register: str, lineage: Lineage) -> int:
    """How many different indices fit into the memory, 0 when unknown."""
    instruction = scene.instruction
    size, offset = instruction.size, instruction.offset
    pointer = scene.held(register)
    if instruction.operation == "arithmetic":
        pointer = scene.held(instruction.to)
        if pointer is not None and pointer.is_number:
            pointer = scene.held(instruction.source)
        size, offset = lineage.scale, 0
    # The compiler puts what is indexed on the stack from the top down: its end is unknown.
    if pointer is None or pointer.is_number or pointer.kind == "fp" or not size:
        return 0
    first = pointer.fixed + offset + lineage.constant
    end = pointer.size
    return (end - size - first) // lineage.scale + 1 if end >= size + first else 0


def _last_check(scene: Scene, lineage: Lineage) -> Check | None:
    """The last comparison with a number that says something of the value's range."""
    for check in reversed(lineage.checks):
        known = check.number is not None and check.value is not None and check.value.is_number
        if known and scene.locate(check.at)[0]:
            return check
    return None


def _mark_check(scene: Scene, check: Check, room: int, *, array: str = "") -> None:
    line, column = scene.locate(check.at)
    value = check.value
    # The compiler may have moved the comparison to where its result is used.
    if value is None or line in (0, scene.line) or not scene.code.compares(line, column):
        return
    note = f"lets {span(value.low, value.high)} through"
    if room:
        note += f"; {array} has {room} elements, 0" if array else "; there is room for 0"
        note += f" to {room - 1}"
    scene.mark_step(check.at, "check", note)


def _earlier_read(scene: Scene, lineage: Lineage, node: Node | None) -> int:
    """The last check of something that is written as the index is, and is another reading of it."""
    written = (
        next((text(child(each, "index")) for each in walk(node) if each.type == "subscript_expression"), "")
        if node is not None
        else ""
    )
    own = {check.at for check in lineage.checks}
    for at in range(scene.at - 1, -1, -1):
        if scene.path.instructions[at].operation == "branch" and at not in own and written:
            line, column = scene.locate(at)
            if line != scene.line and written in text(scene.code.node(line, column, "check")):
                return at
    return -1


def _compared_with_end(scene: Scene) -> int:
    """The last step that compared something with the packet's end, -1 for none."""
    for at in range(scene.at - 1, -1, -1):
        instruction = scene.path.instructions[at]
        if instruction.operation != "branch":
            continue
        values = [scene.path.before(at, each) for each in (instruction.to, instruction.source) if each]
        if any(value is not None and value.kind == "pkt_end" for value in values):
            return at
    return -1


def _given(scene: Scene, argument: int) -> Node | None:
    """An argument of the refused call."""
    name = scene.instruction.name
    return scene.code.node(scene.line, scene.column, "call", name=name, argument=argument)


def _given_size(scene: Scene, register: str, size: int) -> None:
    """A helper that was told a larger size than the array has that it is to fill."""
    argument = scene.argument(register)
    if not argument:
        return
    array, told = _given(scene, argument), _given(scene, argument + 1)
    name = text(child(array, "field") or array)
    if text(told) == str(size) and 0 < scene.code.array_size(name, of_bytes=True) < size:
        scene.made.hint = f"sizeof({text(array)}) in place of {size}"


def _signed(scene: Scene, name: str) -> bool:
    declared = scene.code.declared_type(name, scene.line)
    return declared in _SIGNED or declared.startswith(("int", "long", "signed"))


def _array(node: Node | None) -> str:
    """What an access takes an element of, by its last name."""
    while node is not None and node.type != "subscript_expression":
        node = child(node, "argument")
    array = child(node, "argument")
    return text(child(array, "field") or array)


def _bytes(number: int) -> str:
    return f"{number} byte{'s' * (number != 1)}"

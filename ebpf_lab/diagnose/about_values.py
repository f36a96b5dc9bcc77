"""What there is to say of a value that is of the wrong kind: NULL, a number, another type."""

from __future__ import annotations

import re
from dataclasses import replace

from ebpf_lab.diagnose.expressions import Part
from ebpf_lab.diagnose.lineage import Lineage
from ebpf_lab.diagnose.scene import Scene
from ebpf_lab.diagnose.values import Value, span
from ebpf_lab.source.tree import child, text

_RANGE = re.compile(r"should have been in \[(-?\d{1,19}), (-?\d{1,19})\]")
_MASKED = re.compile(r"should have been in \((0x[0-9a-f]{1,16}); (0x[0-9a-f]{1,16})\)")
_EXPECTED = re.compile(r"R(\d) type=(\S*) expected=(.*)")
_MAP_REFUSED = re.compile(r"cannot pass map_type \d+ into func (\w+)")
_UNSET = re.compile(r"size[= ](\d{1,9})")


def birth(scene: Scene, name: str, lineage: Lineage) -> None:
    """Mark where the value was born."""
    at = lineage.birth
    if at < 0:
        return
    line, column = scene.locate(at)
    instruction = scene.path.instructions[at]
    value = scene.path.after(at, instruction.to or lineage.register)
    # The address of a map or of a global variable is born where the compiler first needs it.
    fixed = instruction.number is not None and value is not None and not value.is_number
    if not line or line == scene.line or fixed:
        return
    part: Part = "call" if instruction.operation == "call" else "value"
    note = "can return NULL" if name == "null check" and part == "call" else "the value comes from here"
    if name == "number as address":
        note = "the address comes from here, to the verifier a mere number"
    elif value is not None and value.is_number:
        note += f": {value.words}"
    elif value is not None and name not in ("null check", "size bounds", "zero size"):
        note = f"this is {replace(value, nullable=False).words}"
    scene.mark(line, column, part, note, at=at)


def null(scene: Scene, lineage: Lineage) -> None:
    """A pointer that may be NULL."""
    made, code, at = scene.made, scene.code, lineage.birth
    variable = ""
    if "mem_or_null" in scene.error and at < 0:
        # An argument: no call made it.
        made.why = "a function without static is verified alone, with any argument: NULL, too"
        node = code.node(scene.line, scene.column, "access")
        variable = code.variable_in(child(node, "argument"))
    if at >= 0:
        line, column = scene.locate(at)
        helper = scene.path.instructions[at].name
        variable = code.variable(line)
        called = code.called(line, column, helper) if line else helper
        if called:
            made.why = f"{called} can return NULL, and this path never checked"
        _other_check(scene, lineage)
    if variable and re.search(rf"\b{re.escape(variable)}\b", code.line(scene.line)):
        made.hint = f"if (!{variable}) {code.leave(scene.line)}"
    scene.mark_failure("it can be NULL here", argument=scene.argument(scene.register))


def _other_check(scene: Scene, lineage: Lineage) -> None:
    """Mark the check of another pointer, which may have been meant for this one."""
    own = {check.at for check in lineage.checks}
    for at in range(scene.at - 1, lineage.birth, -1):
        instruction = scene.path.instructions[at]
        if instruction.operation != "branch" or instruction.number != 0 or at in own:
            continue
        value = scene.path.before(at, instruction.to)
        if value is not None and value.nullable and scene.locate(at)[0] != scene.line:
            scene.mark_step(at, "check", "this checks another pointer")
            return


def number(scene: Scene, register: str, lineage: Lineage) -> None:
    """A number that is used as an address."""
    made = scene.made
    value = scene.held(register)
    helper = scene.path.instructions[lineage.birth].name if lineage.birth >= 0 else ""
    if value is not None and value.constant == 0:
        made.why, made.hint = "this address is NULL on this path", ""
        scene.made.marks.clear()
    elif helper == "bpf_get_current_task":
        made.hint = "bpf_get_current_task_btf() returns an address that may be read"
    scene.mark_failure(argument=scene.argument(register))


def argument(scene: Scene) -> None:
    """What a helper does not take."""
    match = _EXPECTED.search(scene.error)
    if match:
        register = f"R{match[1]}"
        at, value = scene.argument(register), scene.held(register)
        given = scene.code.node(scene.line, scene.column, "call", name=scene.instruction.name, argument=at)
        scene.made.why = f"this argument must be {_expected(match[3])}"
        note = "" if value is None else f"this is {'a number' if value.is_number else value.words}"
        variable = scene.code.variable_in(given) if at else ""
        if value is not None and variable and "fp" in match[3].split(", ") and value.is_number:
            scene.made.hint = f"&{variable}"
        elif value is not None and variable and match[3] == "map_value" and value.kind == "fp":
            scene.made.hint = f"declare {variable} static const: a constant lies in a map"
        scene.mark_failure(note, argument=at)
    elif refused := _MAP_REFUSED.search(scene.error):
        _map_refused(scene, refused[1])
    else:
        scene.mark_failure()


def _map_refused(scene: Scene, helper: str) -> None:
    for at in range(1, 6):
        value = scene.held(f"R{at}")
        if value is None or value.kind != "map_ptr":
            continue
        name = value.fields.get("map", "")
        given = scene.code.node(scene.line, scene.column, "call", name=helper, argument=at)
        kind = scene.code.map_type(name or text(given).lstrip("&"))
        if kind:
            scene.made.why = f"{helper} does not work on a map of type {kind}"
        if kind == "BPF_MAP_TYPE_RINGBUF" and helper == "bpf_perf_event_output":
            scene.made.hint = "bpf_ringbuf_output() writes into a ring buffer"
        scene.mark_failure(argument=scene.argument(f"R{at}"))
        return
    scene.mark_failure()


def result(scene: Scene, register: str) -> None:
    """What a program or a callback returns."""
    value, note = scene.held(register), ""
    allowed = ""
    if match := _RANGE.search(scene.error):
        allowed = span(int(match[1]), int(match[2]))
    elif match := _MASKED.search(scene.error):
        allowed = span(int(match[1], 0), int(match[1], 0) | int(match[2], 0))
    if value is not None and value.is_number:
        note = f"this returns {value.words}"
    if allowed:
        note += f"{', and ' if note else 'this '}may return only {allowed}"
    scene.mark_failure(note)


def read_only(scene: Scene, register: str) -> None:
    """A write to what may only be read."""
    node = scene.code.node(scene.line, scene.column, "access")
    if "map" in scene.error and (name := scene.code.constant_in(node)):
        scene.made.why = f"{name} is const: programs may only read it"
        scene.made.hint = f"drop the const from {name}"
        scene.mark_failure()
        return
    _mark_as_it_is(scene, register)


def context(scene: Scene) -> None:
    """An access to the context that this kind of program has not."""
    instruction = scene.instruction
    if instruction.operation == "store":
        scene.made.why = "programs of this kind may not write this field of their context"
    elif re.search(r"\bBPF_PROG\d?\(", scene.code.line(scene.line)) and not instruction.offset % 8:
        scene.made.why = f"what this is attached to has fewer than {instruction.offset // 8 + 1} arguments"
        scene.mark_failure()
        return
    elif instruction.operation == "load":
        scene.made.why = "the context of this kind of program has no such field"
    size = instruction.size
    note = f"{size} bytes at offset {instruction.offset} of the context" if size else ""
    scene.mark_failure(note)


def stack_unset(scene: Scene) -> None:
    """A part of the stack that nothing was written to."""
    match = _UNSET.search(scene.error)
    scene.made.hint = scene.code.declared_empty(scene.line)
    scene.mark_failure(f"{match[1]} bytes here, not all of them written" if match else "")


def other(scene: Scene, register: str) -> None:
    """Any other value."""
    if scene.made.rule in ("moved pointer", "use after release", "packet moved"):
        scene.mark_failure(argument=scene.argument(register))
    else:
        _mark_as_it_is(scene, register)


def _mark_as_it_is(scene: Scene, register: str) -> None:
    value: Value | None = scene.held(register)
    note = f"this is {value.words}" if value is not None else ""
    scene.mark_failure(note, argument=scene.argument(register))


def _expected(kinds: str) -> str:
    names = [each.strip() for each in kinds.split(",")]
    if "fp" in names:
        return "an address of memory: of a local variable (&x), a map's value, a packet"
    reserved = "what bpf_ringbuf_reserve() returned, not given back yet"
    words = {
        "map_value": "the address of a map's value or of a global constant",
        "ringbuf_mem": reserved,
        "alloc_mem": reserved,
        "ctx": "the program's context",
        "map_ptr": "a map",
    }
    return words.get(names[0], f"of another type: {', '.join(names)}")

"""What there is to say of rejections that are about no single value: loops, locks, what is kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from ebpf_lab.diagnose.scene import Scene
from ebpf_lab.diagnose.verifier_log import Step
from ebpf_lab.nearest import nearest
from ebpf_lab.source.tree import text
from ebpf_lab.source.words import listing

Fields = Callable[[str, Sequence[str]], Sequence[str] | None]
"""Names of the fields of one of the running kernel's structs, or of what a path of fields in it leads to;
None when it has no such struct."""

_ALLOCATED = re.compile(r"\balloc_insn=(\d{1,9})")
_RELOCATED = re.compile(r"(?P<kind>struct|union) (?P<name>\w+?)(?:___\w+)?(?:\.(?P<path>[\w.\[\]]+))?(?: |$)")
_ENUMERATOR = re.compile(r"enum (\w+?)(?:___\w+)?::(\w+?)(?:___\w+)? ")
_ASK_FIRST = "read it behind if (bpf_core_field_exists(…)): other kernels may have it"
_MISALIGNED = re.compile(r"misaligned (\w+) access off .*?(-?\d{1,9}) size (\d{1,3})")


def loop(scene: Scene) -> None:
    """A loop without end, or with too many turns: where the time went."""
    made, code = scene.made, scene.code
    visits = Counter(scene.locate_step(step)[0] for step in scene.log.steps)
    del visits[0]
    if made.rule == "endless loop":
        line = code.loop_around(scene.line) or scene.line
        note = "nothing that its condition depends on is known to change"
    elif visits:
        busiest, times = max(visits.items(), key=lambda each: each[1])
        line = code.loop_around(busiest) or busiest
        inside = [each for each in visits if code.loop_around(each) == line]
        shares = sum(visits[each] for each in inside) / visits.total()
        note = f"{shares:.0%} of the verifier's steps were in this loop" if inside and times > 1 else ""
        if turns := _turns(scene, line):
            note += f"; it ends at {turns:,}" if note else f"it ends at {turns:,}"
    else:
        loops = code.loops_in(scene.definition)
        line, note = loops[0] if len(loops) == 1 else 0, ""
    if "jumps is too complex" in scene.error:
        made.why = (
            "each turn with a branch in it leaves another path that the verifier must come back to: it keeps"
            " at most 8,192"
        )
    scene.line, scene.column = line or scene.line or scene.definition, 0
    scene.mark(scene.line, 0, "loop", note)


def _turns(scene: Scene, line: int) -> int:
    """The number that a loop's counter is compared with, 0 when it is none."""
    for at in range(scene.at, -1, -1):
        instruction = scene.path.instructions[at]
        counts = instruction.operation == "branch" and (instruction.number or 0) > 1
        if counts and instruction.number and scene.locate(at)[0] == line:
            return instruction.number
    return 0


def unreleased(scene: Scene) -> None:
    """What was reserved and not given back."""
    made, code = scene.made, scene.code
    allocated = _ALLOCATED.search(scene.error)
    number = int(allocated[1]) if allocated else -1
    at = next((at for at, step in enumerate(scene.path.steps) if step.instruction == number), -1)
    line, column = scene.locate(at) if at >= 0 else scene.locate_step(Step(number, ""))
    helper = scene.path.instructions[at].name if at >= 0 else ""
    if line and line != scene.line:
        scene.mark(line, column, "call", "acquired here", at=at)
    if line:
        variable, called = code.variable(line), code.called(line, column, helper)
        if variable and helper == "bpf_ringbuf_reserve":
            table, dot, _ = called.rpartition(".")
            discard = f"{table}{dot}ringbuf_discard" if dot else "bpf_ringbuf_discard"
            made.hint = f"{discard}({variable}, 0);"
        elif helper == "bpf_ringbuf_reserve_dynptr":
            record = code.node(line, column, "call", name=helper, argument=4)
            made.hint = f"bpf_ringbuf_discard_dynptr({text(record)}, 0);"
            made.why = "a dynptr must be given back on every path, even if it could not be reserved"
        elif helper and helper != "bpf_ringbuf_reserve":
            made.hint = ""
    scene.mark_failure("this path ends without giving it back")


def lock(scene: Scene) -> None:
    """A spin lock: where it was taken."""
    kept = "call" not in scene.error or "exit" in scene.error.lower()
    locked = next(
        (at for at in range(scene.at - 1, -1, -1) if scene.path.instructions[at].name == "bpf_spin_lock"), -1
    )
    if locked >= 0:
        line, column = scene.locate(locked)
        scene.mark(line, column, "call", "locked here", at=locked)
        taken = scene.code.node(line, column, "call", name="bpf_spin_lock", argument=1)
        if kept:
            scene.made.hint = f"bpf_spin_unlock({text(taken)});" if taken is not None else ""
    ends = locked >= 0 and kept and scene.instruction.operation == "exit"
    scene.mark_failure("this path ends with the lock held" if ends else "")


def unset(scene: Scene) -> None:
    """A register that nothing was written to."""
    register = scene.register
    written = any(each.to == register for each in scene.path.instructions[: max(scene.at, 0)])
    alone = scene.at >= 0 and not scene.path.frames[scene.at] and scene.code.parameters(scene.line) > 1
    if alone and not written and register in ("R2", "R3", "R4", "R5"):
        scene.made.why = (
            "the kernel gives a program one argument, its context: BPF_PROG(), BPF_KPROBE() and the like"
            " take the others out of it"
        )
    scene.mark_failure()


def relocation(scene: Scene, fields: Fields | None) -> None:
    """What the running kernel's types lack."""
    made = scene.made
    if match := _ENUMERATOR.search(scene.error):
        made.why = f"enum {match[1]} of this kernel has no {match[2]}"
        return
    match = _RELOCATED.search(scene.error)
    if match is None:
        return
    struct, path = f"{match['kind']} {match['name']}", re.findall(r"[a-zA-Z_]\w*", match["path"] or "")
    # The compiler may take the field's offset for part of an earlier line.
    if path and (named := scene.code.line_naming(path[0], scene.line)):
        scene.line, scene.column = named, scene.column if named == scene.line else 0
    if not path:
        made.why = f"this kernel has no {struct}"
        return
    made.why, made.hint = f"{struct} of this kernel has no field {match['path']}", _ASK_FIRST
    if fields is None:
        return
    known = fields(match["name"], ())
    if known is None:
        made.why, made.hint = f"this kernel has no {struct}", ""
        return
    for depth, wanted in enumerate(path):
        if wanted in known:
            known = fields(match["name"], path[: depth + 1]) or ()
            continue
        inner = f"{struct}'s {'.'.join(path[:depth])}" if depth else struct
        made.why = f"{inner} of this kernel has no field {wanted}"
        if near := nearest(wanted, known):
            made.why += f"; it has {listing(near)}"
        return
    made.why = f"{match['path']} is of another type in {struct} of this kernel"
    made.hint = ""


def misaligned(scene: Scene) -> None:
    """A number at an address that its size does not divide."""
    match = _MISALIGNED.search(scene.error)
    note = ""
    if match:
        memory, offset, size = match[1], int(match[2]), int(match[3])
        scene.made.why = f"a number of {size} bytes must be at an address that {size} divides"
        scene.made.hint = "__builtin_memcpy() copies it from any address"
        if memory == "stack" and offset < 0:
            note = f"this is {-offset} bytes below the top of the stack"
    scene.mark_failure(note)

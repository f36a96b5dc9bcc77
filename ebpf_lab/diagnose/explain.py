"""What a rejection is about, how it came to that, and what would mend it."""

from __future__ import annotations

import re

from ebpf_lab.diagnose import about_bounds, about_flow, about_values, rules
from ebpf_lab.diagnose.about_flow import Fields
from ebpf_lab.diagnose.expressions import Code
from ebpf_lab.diagnose.lineage import Lineage, trace
from ebpf_lab.diagnose.rules import Rule
from ebpf_lab.diagnose.scene import Explanation, Locate, Scene
from ebpf_lab.diagnose.values import Value
from ebpf_lab.diagnose.verifier_log import Log
from ebpf_lab.errors import PathStep

_STACK_READ = re.compile(r"read from stack R\d+ off=(-?\d{1,9}) size=(\d{1,9})")
_RELEASES = re.compile(
    r"submit|discard|release|_put|_free|delete|adjust|pull_data|change|store_bytes|linearize"
)
_BOUNDS = frozenset(
    {"map value bounds", "stack bounds", "packet bounds", "memory bounds", "size bounds", "zero size"}
)
_ABOUT_A_VALUE = _BOUNDS | {
    *("null check", "number as address", "argument type", "return value", "variable offset"),
    *("pointer arithmetic", "use after release", "moved pointer", "pointer leak", "read-only"),
}
_GONE = "no address any more"
_ROWS = 400  # steps of a path that are kept for the learner


def explain(
    log: Log, code: Code, locate: Locate, *, definition: int = 0, fields: Fields | None = None
) -> Explanation:
    """Explain a rejection.

    Parameters
    ----------
    log : Log
    code : Code
        The learner's text.
    locate : callable
    definition : int
        The line of the program's definition, 0 when unknown.
    fields : callable, optional
    """
    scene = Scene(log, code, locate, definition)
    made, register = scene.made, scene.register
    rule = rules.rule_of(log.error)
    lineage: Lineage | None = None
    if rule is not None and register and scene.at >= 0 and rule.name in _ABOUT_A_VALUE:
        lineage = trace(scene.path, scene.at, register, variable=rule.name in _BOUNDS)
        rule = _refined(scene, rule, register)
    if rule is not None:
        made.rule, made.why, made.hint = rule.name, rule.why, rule.hint
        _account(scene, rule.name, register, lineage, fields)
    if not made.marks or made.marks[-1].line != scene.line:
        scene.mark(scene.line or definition, scene.column, scene.part)
    made.steps = _rows(scene, register, lineage)
    return made


def _account(scene: Scene, name: str, register: str, lineage: Lineage | None, fields: Fields | None) -> None:
    if name in ("endless loop", "too many instructions"):
        about_flow.loop(scene)
    elif name == "unreleased":
        about_flow.unreleased(scene)
    elif name == "relocation":
        about_flow.relocation(scene, fields)
    elif name == "spin lock":
        about_flow.lock(scene)
    elif name == "unset variable":
        about_flow.unset(scene)
    elif name == "misaligned":
        about_flow.misaligned(scene)
    elif name == "context access":
        about_values.context(scene)
    elif name == "stack unset":
        about_values.stack_unset(scene)
    elif name == "argument type" and not register:
        about_values.argument(scene)
    elif lineage is not None:
        _account_of_value(scene, name, register, lineage)


def _account_of_value(scene: Scene, name: str, register: str, lineage: Lineage) -> None:
    if name not in ("use after release", "packet moved"):
        about_values.birth(scene, name, lineage)
    if name == "null check":
        about_values.null(scene, lineage)
    elif name in ("map value bounds", "memory bounds", "stack bounds"):
        about_bounds.bounds(scene, register, lineage)
    elif name == "packet bounds":
        about_bounds.packet(scene)
    elif name in ("size bounds", "zero size"):
        about_bounds.size(scene, name, register, lineage)
    elif name == "return value":
        about_values.result(scene, register)
    elif name == "argument type":
        about_values.argument(scene)
    elif name == "number as address":
        about_values.number(scene, register, lineage)
    elif name == "read-only":
        about_values.read_only(scene, register)
    else:
        about_values.other(scene, register)


def _refined(scene: Scene, rule: Rule, register: str) -> Rule:
    """Which rule it really is: the words of some are the same."""
    if (match := _STACK_READ.search(scene.error)) and -512 <= int(match[1]) <= -int(match[2]):
        return rules.first("stack unset")
    kind = getattr(scene.held(register), "kind", "")
    if rule.name == "size bounds" and scene.instruction.operation in ("load", "store"):
        return rules.first("map value bounds" if kind == "map_value" else "memory bounds")
    if rule.name == "number as address" or "type=scalar expected" in scene.error:
        source = trace(scene.path, scene.at, register)
        was = scene.held(register)
        if was is None or was.is_number:
            was = scene.path.after(source.birth, source.register) if source.birth >= 0 else None
        released = _released(scene, source)
        if was is not None and not was.is_number and released >= 0:
            return _after_release(scene, released, was)
    return rule


def _released(scene: Scene, lineage: Lineage) -> int:
    """The call that made a pointer useless, -1 for none."""
    for at in range(scene.at - 1, max(lineage.birth, 0), -1):
        instruction = scene.path.instructions[at]
        if instruction.operation == "call" and _RELEASES.search(instruction.name):
            return at
    return -1


def _after_release(scene: Scene, at: int, was: Value) -> Rule:
    scene.gone_at = at
    helper = scene.path.instructions[at].name
    line, column = scene.locate(at)
    called = scene.code.called(line, column, helper) if line else helper
    if was.kind.startswith("pkt"):
        scene.mark_step(at, "call", "the packet may be elsewhere from here on")
        return rules.named(
            "packet moved", f"{called} may move the packet: addresses in it must be read and checked again"
        )
    scene.mark_step(at, "call", "given away here")
    return rules.named(
        "use after release", f"after {called} the memory belongs to someone else: use it only before"
    )


def _rows(scene: Scene, register: str, lineage: Lineage | None) -> list[PathStep]:
    """The path as rows: of a value, what made, moved and checked it; of anything else, its end."""
    path = scene.path
    numbers, about = list(range(len(path))), {}
    if lineage is not None:
        numbers = sorted({*lineage.steps, *(check.at for check in lineage.checks), scene.at})
        about = {check.at: check.register for check in lineage.checks}
    if scene.gone_at >= 0:
        numbers = sorted({*numbers, scene.gone_at})
        about[scene.gone_at] = register
    if scene.at >= 0:
        about.setdefault(scene.at, register)
    rows = []
    for at in numbers[-_ROWS:]:
        step, instruction = path.steps[at], path.instructions[at]
        name = about.get(at) or instruction.to or instruction.source
        line, column = scene.locate(at)
        text, held = scene.code.line(line).strip(), _held(scene, at, name)
        rows.append(PathStep(line, column, step.instruction, step.code, text, name, *held))
    return rows


def _held(scene: Scene, at: int, register: str) -> tuple[str, str]:
    """What a register holds before and after a step, in words; "" where that is unknown, or says nothing."""
    if not register:
        return "", ""
    instruction = scene.path.instructions[at]
    made_here = instruction.to == register and instruction.operation not in ("arithmetic", "branch")
    before = None if made_here and at < scene.at else scene.path.before(at, register)
    # The walk ends in the last step.
    after = scene.path.after(at, register) if at < scene.at else None
    words = [value.words if value is not None else "" for value in (before, after)]
    if 0 <= scene.gone_at <= at:
        words = [words[0] if at == scene.gone_at else _GONE, _GONE if at < scene.at else ""]
    return words[0], words[1]

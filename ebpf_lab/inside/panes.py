"""The view's two panes as HTML: the C text, and the bytecode with the native code that came of it.

Columns are made of spaces, and what matters is in the text: a page that drops scripts and styles, as that of
a notebook that is not trusted, still shows it all.  Attributes ``data-l`` and ``data-i`` name lines and
instructions for the script that marks what belongs together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from ebpf_lab.inside.c_text import coloured, needed
from ebpf_lab.inside.known import Known, Origin
from ebpf_lab.inside.page import MOST_ROWS, tint
from ebpf_lab.inside.parts import Group, Line, Measure, Shown
from ebpf_lab.inside.placed import Placed, PlacedNative

HIDDEN = " hidden='hidden'"
"""Of an element that only the script shows; without a value it would be dropped where scripts are."""
_LONGEST = 54
"""Characters of an instruction's column."""


def line_name(line: Line) -> str:
    """How a line is called in the margin: its number, with the file's name if that is not the learner's."""
    file, number = line
    return f"{file}:{number}" if file and number else str(number or "")


def c_pane(shown: Shown, text: str, *, whole: bool) -> str:
    """The C text with a number for each line; lines of headers below it.

    Parameters
    ----------
    shown : Shown
    text : str
        The learner's.
    whole : bool
        All of it, else what has to do with this program.
    """
    lines = coloured(text.rstrip())
    groups = shown.groups
    own = {number for file, number in (group.line for group in groups) if number and not file}
    kept = set(range(1, len(lines) + 1)) if whole else needed(text, own)
    foreign = {group.line: group.source for group in groups if group.line[0] and group.line[1]}
    width = max([len(str(len(lines))), *(len(line_name(line)) for line in foreign)])
    made, previous = [], 0
    for number in sorted(each for each in kept if each <= len(lines)):
        if number != previous + 1:
            made.append(f"<span class='f'>{'⋮':>{width}}</span>\n")
        previous = number
        made.append(_c_line(("", number), lines[number - 1], width, shown, number in own))
    if previous != len(lines):
        made.append(f"<span class='f'>{'⋮':>{width}}</span>\n")
    if foreign:
        made.append("\n<span class='f'>from headers:</span>\n")
        for line in sorted(foreign):
            made.append(_c_line(line, coloured(foreign[line])[0], width, shown, True))
    return "".join(made)


def _c_line(line: Line, written: str, width: int, shown: Shown, has_code: bool) -> str:
    name = line_name(line)
    margin = f"<span class='f'>{escape(f'{name:>{width}}')}</span> "
    heat = "".join(_heat(each, line, hidden=bool(number)) for number, each in enumerate(shown.measures))
    body = f"{margin}{heat} {written}\n"
    if not has_code:
        return body
    style = f"display:block;min-width:max-content;background:{tint(line[1])}"
    return f"<span class='l' data-l='{escape(name)}' style='{style}'>{body}</span>"


def _heat(measure: Measure, line: Line, *, hidden: bool) -> str:
    count = measure.of.get(line, 0)
    most = max(measure.of.values(), default=0)
    told = f"{count:>5}" if count < 100_000 else f"{count / 1000:>4.0f}k"
    hide = HIDDEN if hidden else ""
    if not count:
        return f"<span class='h'{hide}>     </span>"
    title = f"{count:,} of {measure.total:,} {measure.name} ({100 * count / measure.total:.1f} %)"
    return _bar(count, most, told, f" class='h'{hide} title='{escape(title, quote=True)}'")


def code_pane(shown: Shown) -> str:
    """Bytecode and native code side by side, by the lines that they come from."""
    groups = shown.groups
    margin = max((len(line_name(group.line)) for group in groups), default=0)
    at = max((len(str(each.instruction.number)) for group in groups for each in group.bytecode), default=1)
    label = max((len(each.label) for group in groups for each in group.bytecode), default=0)
    width = min(max((len(each.text) for group in groups for each in group.bytecode), default=0), _LONGEST)
    natives = [each for group in groups for each in group.native]
    offset = max((len(f"{each.offset:x}") for each in natives), default=0)
    native_label = max((len(each.label) for each in natives), default=0)
    counted = max((len(str(count)) for count in shown.samples.values()), default=0)
    made: list[str] = []
    room, left_out = MOST_ROWS, 0
    for part in shown.parts:
        if len(shown.parts) > 1:
            made.append(f"<b class='n'>{escape(part.function.name)}</b>\n")
        for group in part.groups:
            rows = []
            name = line_name(group.line)
            for number, (one, other) in enumerate(_beside(group)):
                first = f"{name if not number else '':>{margin}}"
                left = _bytecode(one, at, label, width, shown.known)
                hit = _hit(other, shown, counted) if counted else ""
                right = _native(other, offset, native_label, hit) if natives else ""
                rows.append(f"<span class='f'>{escape(first)} │</span> {left}{right}\n")
            left_out += max(len(rows) - room, 0)
            rows, room = rows[: max(room, 0)], room - len(rows)
            if rows:
                style = f"display:block;min-width:max-content;background:{tint(group.line[1])}"
                key = escape(name)
                made.append(f"<span class='g' data-l='{key}' style='{style}'>{''.join(rows)}</span>")
    if left_out:
        made.append(
            f"<span class='f'>{left_out:,} more rows are in Trace.disassembly() and Trace.jited()</span>\n"
        )
    return "".join(made)


def _beside(group: Group) -> Iterator[tuple[Placed | None, PlacedNative | None]]:
    one, other = group.bytecode, group.native
    for number in range(max(len(one), len(other))):
        yield (
            one[number] if number < len(one) else None,
            other[number] if number < len(other) else None,
        )


def _bytecode(each: Placed | None, at: int, label: int, width: int, known: Known | None) -> str:
    if each is None:
        return " " * (at + 1 + (label + 1 if label else 0) + width)
    number = each.instruction.number
    name = f"<b>{each.label:<{label}}</b> " if label else ""
    title = f" title='{escape(card(each, known), quote=True)}'" if known is not None else ""
    mark = ""
    if known is not None and known.whole:
        origin = known.origins.get(number)
        mark = " class='made'" if origin is None or not origin.same else ""
    said = each.text if len(each.text) <= width else f"{each.text[: width - 1]}…"
    written = f"<span class='f'>{number:>{at}}</span> {name}{escape(said)}"
    return f"<span data-i='{number}'{mark}{title}>{written}</span>{' ' * (width - len(said))}"


def _hit(each: PlacedNative | None, shown: Shown, width: int) -> str:
    """How often a processor was found there, on the ground of its share."""
    count = 0 if each is None else shown.samples.get(each.instruction.address, 0)
    told = f"{count or '':>{width}}"
    return f"{_bar(count, max(shown.samples.values()), told)} "


def _bar(count: int, most: int, told: str, more: str = "") -> str:
    share = 100 * count / most
    style = f"background:linear-gradient(to left,rgba(213,94,0,0.42) {share:.0f}%,transparent {share:.0f}%)"
    return f"<span{more} style='{style}'>{told}</span>" if count else f"<span{more}>{told}</span>"


def _native(each: PlacedNative | None, offset: int, label: int, hit: str) -> str:
    if each is None:
        return " <span class='f'>│</span>"
    name = f"<b>{each.label:<{label}}</b> " if label else ""
    said = each.text if len(each.text) <= _LONGEST else f"{each.text[: _LONGEST - 1]}…"
    place = f"<span class='f'>{each.offset:>{offset}x}</span>"
    return f" <span class='f'>│</span> {hit}{place} {name}{escape(said)}"


def card(each: Placed, known: Known) -> str:
    """What is to be said of an instruction: what it was, and what the verifier knew behind it."""
    origin = known.origins.get(each.instruction.number)
    head = f"{each.instruction.number}: {each.text}"
    if origin is None:
        why = "added by the kernel" if known.whole else "too long: the verifier's steps here were not read"
        return f"{head}\n{why}"
    return "\n".join(filter(None, (head, *_was(origin), origin.told)))


def _was(origin: Origin) -> Sequence[str]:
    made = [] if origin.same else [f"put by the kernel in the place of: {origin.code}"]
    if origin.steps:
        times = "once" if origin.steps == 1 else f"{origin.steps:,} times"
        made.append(f"the verifier came by {times}; what it knew behind it (* is new)")
    return made

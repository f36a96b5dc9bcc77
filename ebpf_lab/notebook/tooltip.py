"""What is under the cursor of a ``%%bpf`` cell: Shift-Tab."""

from __future__ import annotations

import re
from dataclasses import replace

from ebpf_lab.host import kernel_names
from ebpf_lab.notebook import reference
from ebpf_lab.notebook.completion.cell import Cell
from ebpf_lab.notebook.completion.code import chain
from ebpf_lab.notebook.completion.expressions import members_at, type_of
from ebpf_lab.notebook.completion.place import Spot
from ebpf_lab.notebook.reference import kernel
from ebpf_lab.notebook.reference.entry import Entry
from ebpf_lab.source.maps import FoundMap
from ebpf_lab.source.options import OPTIONS, usage

_OPTION_WORD = re.compile(r"\S+")


def look(text: str, cursor: int) -> Entry | None:
    """What there is to say of the word that the cursor is in, or of the call that it is in the brackets of.

    Parameters
    ----------
    text : str
        A whole cell.
    cursor : int
        Character that the cursor is in front of.

    Returns
    -------
    Entry or None
        None where the lab knows nothing, and in cells that are not the lab's.
    """
    cell = Cell.read(text)
    if cell is None:
        return None
    if cursor < cell.start:
        return _option(text[: cell.start], cursor)
    at = cursor - cell.start
    rest = re.split(r"\W", cell.code[at:], maxsplit=1, flags=re.ASCII)[0]
    spot = Spot.find(cell.code[: at + len(rest)])
    if spot.kind == "string":
        return _string(cell, spot)
    if spot.kind != "name":
        return None
    return _word(cell, spot) if spot.word else _of_call(spot)


def _word(cell: Cell, spot: Spot) -> Entry | None:
    inside, given = spot.call()
    expression = chain(inside, given)
    if expression or spot.behind in ("->", "."):
        before = spot.before[: spot.before.rindex(inside)] if expression else ""
        if not expression:
            before, expression = spot.owner()
        made = members_at(before, expression).get(spot.word)
        owner = type_of(before, expression)
        return kernel.member(owner.base if owner is not None else "", spot.word, made) if made else None
    if spot.behind in ("struct", "union", "enum"):
        return _type(cell, f"{spot.behind} {spot.word}")
    kept = next((each for each in cell.maps if each.decl.name == spot.word), None)
    if kept is not None:
        return _map(kept)
    declared = type_of(spot.before, spot.word)
    if declared is not None and reference.entry(spot.word) is None:
        return kernel.member("", spot.word, declared)
    return kernel.look_up(spot.word) or _of_call(spot)


def _type(cell: Cell, name: str) -> Entry | None:
    own = members_at(cell.code, f"(({name} *)0)") if name.partition(" ")[2] in cell.types("struct") else {}
    known = kernel.type_named(name)
    if not own or (known is not None and set(own) == {member for member, _ in known.members}):
        return known
    shown = tuple((member, kernel_names.shown(made)) for member, made in own.items())
    return Entry(name, "type of this cell", f"{name};", members=shown)


def _map(kept: FoundMap) -> Entry:
    about = reference.entry(f"BPF_MAP_TYPE_{kept.decl.kind.upper()}")
    values = f" of {kept.value}" if kept.value else ""
    made = Entry(kept.decl.name, "map of this cell", f"{kept.decl.name}: {kept.decl.kind}{values}")
    return made if about is None else replace(made, text=about.text, since=about.since)


def _of_call(spot: Spot) -> Entry | None:
    inside, _ = spot.call()
    return kernel.look_up(inside) if inside else None


def _string(cell: Cell, spot: Spot) -> Entry | None:
    if spot.call()[0] != "SEC":
        return _of_call(spot)
    section = re.split(r'["\n]', cell.code[len(spot.before) :])[0]
    return kernel.place(section) or reference.entry("SEC")


def option(flag: str) -> Entry | None:
    """An option of ``%%bpf``, None where there is none of this name."""
    found = next((each for each in OPTIONS if each.flag == flag), None)
    if found is None:
        return None
    return Entry(found.flag, "option", str(found), f"{found.help}{found.default}")


def _option(line: str, cursor: int) -> Entry | None:
    for word in _OPTION_WORD.finditer(line):
        if word.start() <= cursor <= word.end():
            found = option(word[0].partition("=")[0])
            if found is not None:
                return found
            if "=" in word[0]:
                return kernel.place(word[0].partition("=")[2])
            return Entry("%%bpf", "cell magic", usage()) if word[0] == "%%bpf" else None
    return None

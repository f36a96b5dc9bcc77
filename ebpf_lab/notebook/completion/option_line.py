"""Tab on the first line of a ``%%bpf`` cell: options, and what may be their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ebpf_lab.notebook.completion import places
from ebpf_lab.notebook.completion.cell import Cell
from ebpf_lab.notebook.completion.found import Found, choose
from ebpf_lab.source.options import OPTIONS, Option
from ebpf_lab.source.programs import functions
from ebpf_lab.source.streams import STREAM_KINDS
from ebpf_lab.source.tree import child, parse, text, walk

_WORDS = re.compile(r"\S+")
# A variable outside of functions: these begin a line in all that is written with some care.
_GLOBAL = re.compile(
    r"^(?:(?:static|const|volatile)\s+)*[A-Za-z_][\w ]*?\b(\w+)\s*(?:=[^;]*)?;", re.MULTILINE
)


def complete(cell: Cell, line: str, variables: Callable[[], Iterable[str]]) -> Found | None:
    """What may stand at the end of the line; None in the command behind ``--``, whose words are files'."""
    words = _WORDS.findall(line)[1:]
    begun = words.pop() if words and not line[-1].isspace() else ""
    if "--" in words or (line.rstrip().endswith("%%bpf") and not line[-1].isspace()):
        return None
    by_flag = {option.flag: option for option in OPTIONS}
    option = by_flag.get(words[-1]) if words else None
    if option is not None and option.convert is not None:
        return _value(option, cell, begun, variables)
    flag, equals, _ = begun.partition("=")
    if equals and flag in by_flag and not by_flag[flag].pairs:
        return _value(by_flag[flag], cell, begun.removeprefix(f"{flag}="), variables)
    left = [each.flag for each in OPTIONS if each.pairs or each.flag not in words]
    return choose(begun, ([*left, "--"], "option"))


def _value(option: Option, cell: Cell, begun: str, variables: Callable[[], Iterable[str]]) -> Found | None:
    name, equals, value = begun.partition("=")
    if option.pairs and not equals:
        names = {"attach": _functions, "settings": _settings, "stream_types": _streams}.get(option.field)
        return choose(begun, ([f"{each}=" for each in names(cell)] if names else (), "name"))
    match option.field:
        case "output":
            shown = (each for each in variables() if each.isidentifier() and each[0] != "_")
            return choose(begun, (shown, "variable"))
        case "attach":
            return _behind(f"{name}=", places.probes(value), begun)
        case "stream_types":
            return _behind(f"{name}=", choose(value, (_structs(cell), "struct")), begun)
        case "settings":
            return Found(begun)
    if re.fullmatch(r"[\w-]+(?:\|[\w-]+)+", option.metavar):
        return choose(begun, (option.metavar.split("|"), "value"))
    # Files are IPython's to complete; of numbers there is nothing to say.
    return None if "FILE" in option.metavar else Found(begun)


def _behind(prefix: str, found: Found, begun: str) -> Found:
    return Found(begun, [(prefix + name, kind) for name, kind in found.names])


def _functions(cell: Cell) -> list[str]:
    return [each.name for each in functions(cell.scan, parse(cell.scan)) if not each.static]


def _settings(cell: Cell) -> list[str]:
    macros = [name for name, macro in cell.scan.macros.items() if macro.params is None]
    return [*macros, *_GLOBAL.findall(cell.code)]


def _streams(cell: Cell) -> list[str]:
    return [each.decl.name for each in cell.maps if each.decl.kind in STREAM_KINDS]


def _structs(cell: Cell) -> list[str]:
    nodes = (node for node in walk(parse(cell.scan)) if node.type in ("struct_specifier", "union_specifier"))
    return [
        f"{node.type.removesuffix('_specifier')} {text(child(node, 'name'))}".replace("struct ", "")
        for node in nodes
        if child(node, "name") is not None and child(node, "body") is not None
    ]

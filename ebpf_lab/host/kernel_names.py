"""What can be named in a program for the running kernel: types and their members, functions, constants.

All of it comes from the kernel's BTF.  A type without a name is written ``#NUMBER`` here, with its number in
BTF: nothing else leads to its members.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache

from ebpf_lab.errors import LabError
from ebpf_lab.host.kernel_types import kernel, plain
from ebpf_lab.source.btf import Btf, Kind
from ebpf_lab.source.typename import TypeName

_DEEPEST = 16
_KFUNC = "bpf_kfunc"
# Before pahole 1.27, which marks them (tag bpf_kfunc), only names tell kfuncs from what is behind helpers.
_LIKE_A_KFUNC = re.compile(
    r"bpf_(?:cpumask|task|cgroup|obj|refcount|list|rbtree|rcu|dynptr|iter|cast|rdonly|skb|xdp|ct|kptr|percpu_obj"
    r"|key|wq|arena|preempt|local_irq|get_kmem|map_sum|throw|session|crypto|sock_destroy|verify_pkcs7)_\w+|"
    r"crash_kexec"
)
_LAYERS = {Kind.STRUCT: "struct", Kind.UNION: "union", Kind.ENUM: "enum", Kind.ENUM64: "enum"}
_SILENT = (Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG)


class Sorted:
    """Names in order, looked up by what they begin with."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(set(names))

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        at = bisect_left(self._names, name)
        return at < len(self._names) and self._names[at] == name

    def beginning(self, begun: str) -> list[str]:
        """Those that begin so, in order."""
        first = bisect_left(self._names, begun)
        last = bisect_left(self._names, begun + "\U0010ffff", first)
        return self._names[first:last]

    def containing(self, part: str) -> list[str]:
        """Those that have this somewhere, in whatever case, in order."""
        part = part.lower()
        return [name for name in self._names if part in name.lower()]


def warm() -> None:
    """Read now what the other functions need, where the kernel has it."""
    if _btf() is not None:
        types(), constants(), kfuncs(), members("struct task_struct")


def types(word: str = "struct") -> Sorted:
    """Names of the kernel's structs, unions or enums, or ("typedef") its type definitions."""
    return _types()[word]


@cache
def _types() -> Mapping[str, Sorted]:
    return {word: Sorted(name for name in names if name) for word, names in _all_types().items()}


def _all_types() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {"struct": [], "union": [], "enum": [], "typedef": []}
    btf = _btf()
    if btf is not None:
        for kind in (*_LAYERS, Kind.TYPEDEF):
            found[_LAYERS.get(kind, "typedef")] += (btf.type(number).name for number in btf.of_kind(kind))
    return found


@lru_cache(maxsize=512)
def members(base: str) -> Mapping[str, TypeName]:
    """Members of a struct, union or type definition, with their types; none when the kernel has no such type.

    Those of structs and unions without a name count as the outer one's.
    """
    btf = _btf()
    number = _number(base) if btf is not None else None
    if btf is None or number is None:
        return {}
    return dict(_members(btf, plain(btf, number)))


def size(base: str) -> int:
    """Bytes of a struct or union of the kernel's, 0 where it has no such one."""
    btf = _btf()
    number = _number(base) if btf is not None else None
    return 0 if btf is None or number is None else btf.type(plain(btf, number)).size_or_type


def values(enum: str) -> tuple[tuple[str, int], ...]:
    """Names and values of an enum of the kernel's; none where it has no such one."""
    btf = _btf()
    if btf is None:
        return ()
    numbers = (btf.find(kind, enum) for kind in (Kind.ENUM, Kind.ENUM64))
    return next((btf.values(number) for number in numbers if number is not None), ())


def alias(name: str) -> TypeName | None:
    """The type that a type definition of the kernel's is another name for."""
    btf = _btf()
    number = btf.find(Kind.TYPEDEF, name) if btf is not None else None
    return None if btf is None or number is None else typename(btf, btf.type(number).size_or_type)


def _number(base: str) -> int | None:
    btf = kernel()
    if base.startswith("#"):
        return int(base[1:])
    word, _, name = base.partition(" ")
    if not name:
        return btf.find(Kind.TYPEDEF, word)
    return btf.find(Kind.UNION if word == "union" else Kind.STRUCT, name)


def _members(btf: Btf, number: int) -> Iterator[tuple[str, TypeName]]:
    if btf.type(number).kind not in (Kind.STRUCT, Kind.UNION):
        return
    for member in btf.members(number):
        if member.name:
            yield member.name, typename(btf, member.type_id)
        else:
            yield from _members(btf, plain(btf, member.type_id))


def typename(btf: Btf, number: int) -> TypeName:
    """A type of the kernel's as C would write it."""
    layers: list[str] = []
    for _ in range(_DEEPEST):
        head = btf.type(number)
        if head.kind == Kind.PTR:
            layers.append("*")
            number = head.size_or_type
        elif head.kind == Kind.ARRAY:
            element, _, length = btf.words(number, 12, 3)
            layers.append(f"[{length}]")
            number = element
        elif head.kind in _SILENT:
            number = head.size_or_type
        else:
            break
    if head.kind == Kind.FUNC_PROTO:
        return TypeName("function", tuple(layers))
    if not head.name:
        return TypeName(f"#{head.id}", tuple(layers))
    word = "struct" if head.kind == Kind.FWD else _LAYERS.get(head.kind)
    return TypeName(f"{word} {head.name}" if word else head.name, tuple(layers))


def shown(made: TypeName) -> str:
    """A type as text for people: one without a name is "struct {…}"."""
    if made.base.startswith("#"):
        word = _LAYERS.get(kernel().type(int(made.base[1:])).kind, "struct")
        made = TypeName(f"{word} {{…}}", made.layers)
    return str(made)


@cache
def kfuncs() -> Sorted:
    """The kernel's functions that programs may call by name."""
    btf = _btf()
    if btf is None:
        return Sorted(())
    tagged = [
        btf.type(head.size_or_type).name
        for head in map(btf.type, btf.of_kind(Kind.DECL_TAG))
        if head.name == _KFUNC
    ]
    if not tagged:
        functions = (btf.type(number).name for number in btf.of_kind(Kind.FUNC))
        tagged = [name for name in functions if _LIKE_A_KFUNC.fullmatch(name) and not _is_helper(name)]
    return Sorted(tagged)


def _is_helper(function: str) -> bool:
    return f"BPF_FUNC_{function.removeprefix('bpf_')}" in constants()


@lru_cache(maxsize=64)
def signature(function: str) -> str:
    """A function of the kernel's as C declares it, "" where BTF does not know it."""
    btf = _btf()
    number = btf.find(Kind.FUNC, function) if btf is not None else None
    if btf is None or number is None:
        return ""
    takes = ", ".join(parameters(function)) or "void"
    return f"{declared(function, result(function))}({takes})"


def result(function: str) -> TypeName:
    """What a function of the kernel's returns; "void" where BTF does not know it."""
    btf = _btf()
    prototype = _prototype(function)
    return (
        TypeName("void") if btf is None or not prototype else typename(btf, btf.type(prototype).size_or_type)
    )


@lru_cache(maxsize=64)
def parameters(function: str) -> tuple[str, ...]:
    """Declarations of the parameters of a function of the kernel's, or of the typed tracepoint called so."""
    btf = _btf()
    prototype = _prototype(function)
    if btf is None or not prototype:
        return ()
    words = iter(btf.words(prototype, 12, 2 * btf.type(prototype).vlen))
    return tuple(
        # No name and no type: the three dots.
        declared(btf.string(name), typename(btf, made)) if name or made else "…"
        for name, made in zip(words, words, strict=True)
    )


def _prototype(function: str) -> int:
    """The number of a function's prototype, 0 for none."""
    btf = _btf()
    number = btf.find(Kind.FUNC, function) if btf is not None else None
    return btf.type(number).size_or_type if btf is not None and number is not None else 0


def tracepoint_parameters(name: str) -> tuple[str, ...]:
    """Declarations of what a tracepoint's programs are given where its arguments have types."""
    # The function that calls a tracepoint's programs has the names, and a pointer of its own before them.
    return parameters(f"__traceiter_{name}")[1:]


def declared(name: str, made: TypeName) -> str:
    """A declaration: ``struct file *f``, ``char comm[16]``."""
    stars = "*" * made.layers.count("*")
    lengths = "".join(layer for layer in made.layers if layer != "*")
    return f"{shown(TypeName(made.base))} {stars}{name}{lengths}"


@cache
def constants() -> Sorted:
    """Names of all values of the kernel's enums."""
    return Sorted(_constants())


@cache
def _constants() -> dict[str, int]:
    """The enum that each value belongs to."""
    btf = _btf()
    if btf is None:
        return {}
    return {
        btf.string(name): number
        for kind, step in ((Kind.ENUM, 2), (Kind.ENUM64, 3))
        for number in btf.of_kind(kind)
        for name in btf.words(number, 12, step * btf.type(number).vlen)[::step]
    }


def constant(name: str) -> tuple[str, int] | None:
    """The enum ("" without a name) and the value of a constant, None when the kernel has no such one."""
    btf, number = _btf(), _constants().get(name)
    if btf is None or number is None:
        return None
    return btf.type(number).name, dict(btf.values(number))[name]


def _btf() -> Btf | None:
    try:
        return kernel()
    except (LabError, OSError):
        return None

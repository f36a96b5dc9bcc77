"""C types that need no declaration: integers by their usual names, arrays of them, and pointers.

Both dialects know these names; a text may submit such a value without a struct around it.
"""

from __future__ import annotations

import re

from ebpf_lab.source.ctype import Array, CType, Float, Int, Pointer

_NAMES = {
    # (bytes, signed): names, the spellings of one type with all its optional words
    (1, True): "s8, __s8, int8_t, signed char",
    (1, False): "u8, __u8, uint8_t, unsigned char",
    (2, True): "s16, __s16, int16_t, short, short int, signed short",
    (2, False): "u16, __u16, uint16_t, unsigned short, unsigned short int, umode_t, __be16, __le16",
    (4, True): "s32, __s32, int32_t, int, signed, signed int, pid_t",
    (4, False): "u32, __u32, uint32_t, unsigned, unsigned int, uid_t, gid_t, dev_t, __be32, __le32",
    (8, True): "s64, __s64, int64_t, long, long int, long long, long long int, ssize_t, loff_t, off_t",
    (8, False): "u64, __u64, uint64_t, unsigned long, unsigned long int, unsigned long long, "
    "unsigned long long int, size_t, uintptr_t, __be64, __le64",
    (16, True): "__int128, s128, __s128",
    (16, False): "unsigned __int128, u128, __u128",
}
_SIZES = {name: key for key, names in _NAMES.items() for name in names.split(", ")}
_FLOATS = {"float": 4, "double": 8}
_QUALIFIER = re.compile(r"\b(?:const|volatile|register|static)\b", re.ASCII)
_FORM = re.compile(
    r"(?P<base>[A-Za-z_]\w*(?: \w+)*) ?(?P<stars>\*[* ]*)?(?P<lengths>(?: ?\[ ?[0-9]{1,9} ?\])*)", re.ASCII
)


def scalar(text: str) -> CType | None:
    """The type that ``text`` names, or None when it takes a declaration to know.

    Parameters
    ----------
    text : str
        A type as :attr:`Stream.c_types` has it: "u64", "char[16]", "int[2][3]", "void *".

    Notes
    -----
    ``long`` and pointers are those of BPF: 8 bytes, on every architecture.

    Examples
    --------
    >>> scalar("unsigned int")
    Int(name='unsigned int', size=4, signed=False, char=False, boolean=False)
    >>> scalar("struct event") is None
    True
    """
    match = _FORM.fullmatch(" ".join(_QUALIFIER.sub(" ", text).split()))
    if match is None:
        return None
    made: CType | None
    if match["stars"]:
        made = Pointer(f"{match['base']} {'*' * (match['stars'].count('*') - 1)}".rstrip())
    else:
        made = _plain(match["base"])
    for length in reversed(re.findall(r"[0-9]+", match["lengths"])):
        if made is None:
            return None
        made = Array(made, int(length))
    return made


def _plain(name: str) -> CType | None:
    if name == "char":
        return Int(name, 1, True, char=True)
    if name in ("bool", "_Bool"):
        return Int(name, 1, False, boolean=True)
    if name in _FLOATS:
        return Float(name, _FLOATS[name])
    if name in _SIZES:
        size, signed = _SIZES[name]
        return Int(name, size, signed)
    return None

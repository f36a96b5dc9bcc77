"""Maps and event types of a text that bcc compiled, as the kernel describes them.

bcc's own descriptions (``bpf_table_leaf_desc``) drop all but the first dimension of an array and the names
of an enumeration.  The BTF that it loads along with the maps has everything.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence

from ebpf_lab.backends.bcc_text import TYPE_STRUCT
from ebpf_lab.backends.loaded import LoadedMap
from ebpf_lab.errors import EventDecodeError
from ebpf_lab.host.syscalls import BpfCommand, bpf
from ebpf_lab.source.btf import Btf, Kind
from ebpf_lab.source.ctype import CType, Opaque

# struct bpf_map_info, up to btf_value_type_id (since Linux 4.18).
_MAP_INFO = struct.Struct("<I4x4I16s28xII")
# struct bpf_btf_info, up to id.
_BTF_INFO = struct.Struct("<QII")

WITHOUT_BTF = "bcc's description of the types was not accepted: it has no words for float and double"
"""Why there are no types where the kernel refused the BTF."""


def read_btf(fd: int) -> Btf:
    """The types behind a descriptor of BTF."""
    _, size, _ = _BTF_INFO.unpack(_info(fd, _BTF_INFO.pack(0, 0, 0)))
    data = ctypes.create_string_buffer(size)
    _info(fd, _BTF_INFO.pack(ctypes.addressof(data), size, 0))
    return Btf.parse(data.raw)


def loaded_map(name: str, fd: int, btf: Btf | None) -> LoadedMap:
    """A map as plain data; its types are None where nothing describes them."""
    info = _MAP_INFO.unpack(_info(fd, bytes(_MAP_INFO.size)))
    map_type, key_size, value_size, max_entries, _, _, key_id, value_id = info
    return LoadedMap(
        name,
        fd,
        map_type,
        key_size,
        value_size,
        max_entries,
        _ctype(btf, key_id, key_size),
        _ctype(btf, value_id, value_size),
    )


def event_types(btf: Btf | None, names: Sequence[str]) -> dict[str, CType]:
    """The types that the lab's own structs behind the text hold, by the name of the event type."""
    found: dict[str, CType] = {}
    for number, name in enumerate(names):
        holder = btf.find(Kind.STRUCT, f"{TYPE_STRUCT}{number}") if btf else None
        if btf is not None and holder is not None:
            made = _ctype(btf, btf.members(holder)[0].type_id)
            if made is not None:
                found[name] = made
    return found


def _ctype(btf: Btf | None, type_id: int, size: int | None = None) -> CType | None:
    if btf is None or not type_id:
        return None
    try:
        made = btf.ctype(type_id)
    except EventDecodeError:
        return None
    if isinstance(made, Opaque) or not made.size or size not in (None, made.size):
        return None
    return made


def _info(fd: int, request: bytes) -> bytes:
    """BPF_OBJ_GET_INFO_BY_FD: ``request`` is what the structure holds before."""
    buffer = ctypes.create_string_buffer(request, len(request))
    bpf(BpfCommand.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, len(request), ctypes.addressof(buffer)))
    return buffer.raw

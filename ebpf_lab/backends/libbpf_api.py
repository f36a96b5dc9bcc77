"""libbpf.so.1 through ctypes: the functions the lab calls, all of them in libbpf 1.1 and later."""

from __future__ import annotations

import ctypes
import functools
import threading
from ctypes import CFUNCTYPE, POINTER, c_bool, c_char_p, c_int, c_size_t, c_uint32, c_void_p

from ebpf_lab.errors import MissingFeature

# Name: (result, arguments).  libbpf 1.x returns a negative errno, or NULL with errno set.
_PROTOTYPES: dict[str, tuple[object, list[object]]] = {
    "libbpf_major_version": (c_uint32, []),
    "libbpf_minor_version": (c_uint32, []),
    "btf__parse": (c_void_p, [c_char_p, c_void_p]),
    "btf__type_cnt": (c_uint32, [c_void_p]),
    "btf__raw_data": (c_void_p, [c_void_p, POINTER(c_uint32)]),
    "btf__free": (None, [c_void_p]),
    "btf_dump__new": (c_void_p, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "btf_dump__dump_type": (c_int, [c_void_p, c_uint32]),
    "btf_dump__free": (None, [c_void_p]),
    "bpf_object__open_mem": (c_void_p, [c_char_p, c_size_t, c_void_p]),
    "bpf_object__load": (c_int, [c_void_p]),
    "bpf_object__close": (None, [c_void_p]),
    "bpf_object__btf": (c_void_p, [c_void_p]),
    "bpf_object__next_program": (c_void_p, [c_void_p, c_void_p]),
    "bpf_object__next_map": (c_void_p, [c_void_p, c_void_p]),
    "bpf_program__name": (c_char_p, [c_void_p]),
    "bpf_program__fd": (c_int, [c_void_p]),
    "bpf_program__type": (c_int, [c_void_p]),
    "bpf_program__flags": (c_uint32, [c_void_p]),
    "bpf_program__set_type": (c_int, [c_void_p, c_int]),
    "bpf_program__set_flags": (c_int, [c_void_p, c_uint32]),
    "bpf_program__set_expected_attach_type": (c_int, [c_void_p, c_int]),
    "bpf_program__set_attach_target": (c_int, [c_void_p, c_int, c_char_p]),
    "bpf_program__set_autoload": (c_int, [c_void_p, c_bool]),
    "bpf_program__set_log_level": (c_int, [c_void_p, c_uint32]),
    "bpf_program__set_log_buf": (c_int, [c_void_p, c_void_p, c_size_t]),
    "bpf_map__name": (c_char_p, [c_void_p]),
    "bpf_map__fd": (c_int, [c_void_p]),
    "bpf_map__type": (c_int, [c_void_p]),
    "bpf_map__key_size": (c_uint32, [c_void_p]),
    "bpf_map__value_size": (c_uint32, [c_void_p]),
    "bpf_map__max_entries": (c_uint32, [c_void_p]),
    "bpf_map__is_internal": (c_bool, [c_void_p]),
    "bpf_map__set_autocreate": (c_int, [c_void_p, c_bool]),
    "bpf_map__initial_value": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "bpf_map__set_initial_value": (c_int, [c_void_p, c_char_p, c_size_t]),
}

_INSTALL = "sudo apt install libbpf1   (Debian 12 and later, Ubuntu 24.04 and later)"

_Print = CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)
_WARNING = 0

_collected: list[str] = []

exclusive = threading.RLock()
"""Held while libbpf works, since what it prints is collected for one caller at a time."""


class OpenOptions(ctypes.Structure):
    """``struct bpf_object_open_opts``, as far as it is the same in every 1.x and used here."""

    _fields_ = [
        ("sz", c_size_t),
        ("object_name", c_char_p),
    ]


@functools.cache
def library() -> ctypes.CDLL:
    """libbpf.so.1, with prototypes set and its messages collected.

    Raises
    ------
    MissingFeature
        It is not installed.
    """
    try:
        lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        raise MissingFeature(
            "the libbpf dialect needs libbpf 1.x, and libbpf.so.1 cannot be loaded",
            why=str(error),
            hint=_INSTALL,
        ) from error
    for name, (result, arguments) in _PROTOTYPES.items():
        try:
            function = getattr(lib, name)
        except AttributeError:
            raise MissingFeature(
                "the libbpf dialect needs libbpf 1.1 or later",
                why=f"the libbpf.so.1 that is installed is older: it has no {name}",
                hint=_INSTALL,
            ) from None
        function.restype, function.argtypes = result, arguments
    lib.libbpf_set_print(_collect_callback)
    return lib


def version() -> str:
    """libbpf's version, such as "1.1"."""
    return f"{library().libbpf_major_version()}.{library().libbpf_minor_version()}"


def messages() -> str:
    """The warnings that libbpf printed since the last call."""
    text = "".join(_collected)
    _collected.clear()
    return text


def _collect(level: int, form: bytes, arguments: int) -> int:
    # A va_list argument is passed by address on x86-64 and on arm64, so that it can be handed on as it came.
    if level == _WARNING:
        libc = ctypes.CDLL(None)
        text = c_void_p()
        if libc.vasprintf(ctypes.byref(text), form, c_void_p(arguments)) >= 0:
            _collected.append(ctypes.string_at(text.value or 0).decode("utf-8", "replace"))
            libc.free(text)
    return 0


_collect_callback = _Print(_collect)  # libbpf keeps its address: it must live as long as the process

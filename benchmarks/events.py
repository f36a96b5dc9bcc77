"""Events of several sizes, and the programs that write them, in both dialects.

The struct in C, bcc's class for it and what a program puts into it are all made from one list of members, so
that both sides see the same events.  A program writes a burst of them each time it is run by hand
(BPF_PROG_TEST_RUN); a patient one ends with the first event that finds no room.  It is attached to a
tracepoint that is not hit meanwhile.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["ring buffer", "perf buffer"]

ROOM = 16 << 20
"""Bytes of the ring buffer, and of each CPU's perf buffer on bcc's side."""
BURST = 128
"""Events of one run of a program; the verifier follows each."""

_TYPES = {ctypes.c_uint64: "u64", ctypes.c_uint32: "u32", ctypes.c_int32: "s32"}
_FILL = {
    "ts": "e->ts = bpf_ktime_get_ns();",
    "pid": "e->pid = bpf_get_current_pid_tgid() >> 32;",
    "n": "e->n = n;",
    "comm": "bpf_get_current_comm(e->comm, sizeof(e->comm));",
    # A thousand names; access modes, O_CREAT and O_CLOEXEC.
    "file": (
        '__builtin_memcpy(e->file, "/usr/share/dict/words-000", 26);'
        " e->file[22] += n / 100 % 10; e->file[23] += n / 10 % 10; e->file[24] += n % 10;"
    ),
    "mode": "e->mode = 0644;",
    "flags": "e->flags = n % 3 | (n & 4) << 4 | (n & 8) << 16;",
}

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One struct, and how a bcc user makes a row of it.

    Attributes
    ----------
    name : str
    members : sequence
        As ctypes has them, without padding between them.
    row : callable
        From an object of :meth:`ctype` to a row.
    columns : tuple of str
        Names of a row's values.
    """

    name: str
    members: Sequence[tuple[str, type[Any]]]
    row: Callable[[Any], Row]
    columns: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of the struct."""
        return ctypes.sizeof(self.ctype())

    def ctype(self) -> type[ctypes.Structure]:
        """A class for the struct, as bcc makes it."""
        return type(self.name, (ctypes.Structure,), {"_fields_": list(self.members)})

    def declaration(self) -> str:
        """The struct in C."""
        members = (
            f"{_TYPES[kind]} {name};" if kind in _TYPES else f"char {name}[{ctypes.sizeof(kind)}];"
            for name, kind in self.members
        )
        return f"struct {self.name} {{ {' '.join(members)} }};\n"

    def fill(self) -> str:
        """A C function that fills one."""
        parts = " ".join(_FILL.get(name, f"e->{name} = n * 2654435761ULL;") for name, _ in self.members)
        head = f"void fill_{self.name}(struct {self.name} *e, u32 n)"
        return f"static inline __attribute__((always_inline)) {head} {{ {parts} }}\n"


_HEAD = [("ts", ctypes.c_uint64), ("pid", ctypes.c_uint32), ("n", ctypes.c_uint32)]
_COMM = ("comm", ctypes.c_char * 16)

PLAIN_16 = Event("plain_event", _HEAD, lambda e: (e.ts, e.pid, e.n), ("ts", "pid", "n"))
COMM_32 = Event(
    "named_event",
    [*_HEAD, _COMM],
    lambda e: (e.ts, e.pid, e.n, e.comm.decode("utf-8", "replace")),
    ("ts", "pid", "n", "comm"),
)
NUMBERS_64 = Event(
    "numbers_event",
    [*_HEAD, _COMM, *((name, ctypes.c_uint64) for name in "abcd")],
    lambda e: (e.ts, e.pid, e.n, e.comm.decode("utf-8", "replace"), e.a, e.b, e.c, e.d),
    ("ts", "pid", "n", "comm", *"abcd"),
)
FILE_288 = Event(
    "path_event",
    [*_HEAD, _COMM, ("file", ctypes.c_char * 256)],
    lambda e: (e.ts, e.pid, e.n, e.comm.decode("utf-8", "replace"), e.file.decode("utf-8", "replace")),
    ("ts", "pid", "n", "comm", "file"),
)
OPENED = Event(
    "opened_event",
    [*_HEAD, _COMM, ("flags", ctypes.c_int32), ("mode", ctypes.c_uint32), ("file", ctypes.c_char * 64)],
    lambda e: (
        *(e.ts, e.pid, e.n, e.comm.decode("utf-8", "replace")),
        *(e.flags, open_flags(e.flags), e.mode, f"0{e.mode:o}", e.file.decode("utf-8", "replace")),
    ),
    ("ts", "pid", "n", "comm", "flags", "flags_names", "mode", "mode_octal", "file"),
)

_ACCESS = ("O_RDONLY", "O_WRONLY", "O_RDWR", "3")
_FLAGS = [
    (0x40, "O_CREAT"),
    (0x80, "O_EXCL"),
    (0x200, "O_TRUNC"),
    (0x400, "O_APPEND"),
    (0x80000, "O_CLOEXEC"),
]


def open_flags(value: int) -> str:
    """Names of open flags, as bcc programs put them together for each event."""
    return "|".join([_ACCESS[value & 3], *(name for bit, name in _FLAGS if value & bit)])


def text(dialect: str, kind: Kind, events: Sequence[Event], room: int = ROOM) -> str:
    """A program that writes events, one struct after the other."""
    structs = "".join(event.declaration() + event.fill() for event in events)
    cases = "\n".join(
        f"        if (n % {len(events)} == {at}) {{ {_submit(dialect, kind, event)} }}"
        for at, event in enumerate(events)
    )
    return f"""{_HEADS[dialect]}{structs}{_MAPS[dialect, kind].format(room=room, pages=room >> 12)}
{_SECTIONS[dialect]}int produce(struct bpf_raw_tracepoint_args *ctx)
{{
    u32 first = ctx->args[0], patient = ctx->args[1], tried = 0, made = 0;
    for (; tried < {BURST}; tried++) {{
        u32 n = first + tried;
        if (patient && made != tried)
            break;
{cases}
    }}
    return tried << 16 | made;
}}
"""


def _submit(dialect: str, kind: Kind, event: Event) -> str:
    name = event.name
    if kind == "ring buffer":
        prefix = {"bcc": "events.ringbuf_", "libbpf": "bpf_ringbuf_"}[dialect]
        size = {"bcc": f"sizeof(struct {name})", "libbpf": f"&events, sizeof(struct {name}), 0"}[dialect]
        return (
            f"struct {name} *e = {prefix}reserve({size});"
            f" if (e) {{ fill_{name}(e, n); {prefix}submit(e, BPF_RB_NO_WAKEUP); made++; }}"
        )
    output = {
        "bcc": "events.perf_submit(ctx, &e, sizeof(e))",
        "libbpf": "bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &e, sizeof(e))",
    }[dialect]
    return f"struct {name} e = {{}}; fill_{name}(&e, n); if (!{output}) made++;"


_HEADS = {"bcc": "#include <uapi/linux/bpf.h>\n", "libbpf": ""}
_SECTIONS = {"bcc": "", "libbpf": 'SEC("raw_tp/xdp_exception")\n'}
_MAPS: dict[tuple[str, Kind], str] = {
    ("bcc", "ring buffer"): "BPF_RINGBUF_OUTPUT(events, {pages});",
    ("bcc", "perf buffer"): "BPF_PERF_OUTPUT(events);",
    ("libbpf", "ring buffer"): (
        'struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, {room}); }} events SEC(".maps");'
    ),
    ("libbpf", "perf buffer"): (
        "struct {{ __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4);"
        ' __uint(value_size, 4); }} events SEC(".maps");'
    ),
}

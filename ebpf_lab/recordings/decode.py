"""From the members of a file to the recording, each value checked: anybody may have written it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import numpy as np

from ebpf_lab.backends.loaded import LoadedMap, LoadedStream
from ebpf_lab.errors import RecordingDamaged, UsageProblem
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.stacks import Addresses
from ebpf_lab.readers.batch import Batch
from ebpf_lab.readers.maps import MapContents
from ebpf_lab.readers.printk_lines import HEAD
from ebpf_lab.recordings import codes, failures, limits, types
from ebpf_lab.recordings.encode import BATCH, FORMAT, VERSION
from ebpf_lab.recordings.fields import Fields, integer, parse, word, wrong
from ebpf_lab.recordings.model import Asked, Book, Made, Outcome, Programs, RecordedStream, Recording
from ebpf_lab.results import Account, MapsRead
from ebpf_lab.source.ctype import CType
from ebpf_lab.source.probe import Probe
from ebpf_lab.source.spec import Dialect, StreamKind
from ebpf_lab.stats import ProgramStats

_KINDS: dict[str, StreamKind] = {"ringbuf": "ringbuf", "perfbuf": "perfbuf", "printk": "printk"}
_RELEASE = re.compile(r"[\w.+~-]{1,128}", re.ASCII)

Members = Mapping[str, bytes]


def decode(members: Members) -> Recording:
    """The recording that the members of a file are.

    Raises
    ------
    RecordingDamaged
        They are none, or of another version of the lab.
    """
    main = parse(_member(members, "recording.json"), "recording.json")
    _check_version(main)
    text = _text(_member(members, "program.c"), "program.c", limits.TEXT)
    made = Recording(
        made=_made(main.object("made")),
        text=text,
        dialect=_dialect(main),
        asked=_asked(main.object("asked")),
        outcome=_outcome(main.object("outcome"), members) if "outcome" in main else None,
        error=failures.read(main.object("error")) if "error" in main else None,
    )
    if made.outcome is None and made.error is None:
        raise wrong("recording.json", "has neither an outcome nor an error")
    return made


def _member(members: Members, name: str) -> bytes:
    if name not in members:
        raise RecordingDamaged("this is no recording, or not a whole one", why=f"there is no {name} in it")
    return members[name]


def _check_version(main: Fields) -> None:
    if "format" not in main or main.text("format") != FORMAT:
        raise RecordingDamaged("this is no recording", why=f"it does not say that it is an {FORMAT}")
    version = main.integer("version", 0, 1 << 31)
    if version != VERSION:
        newer = version > VERSION
        raise RecordingDamaged(
            f"the recording has the format's version {version}, and this lab reads version {VERSION}",
            why=f"{'a newer' if newer else 'an older'} lab wrote it",
            hint="update the lab" if newer else "record it again with this lab",
        )


def _text(data: bytes, place: str, most: int) -> str:
    if len(data) > most:
        raise wrong(place, f"has more than {most:,} bytes")
    return data.decode(errors="surrogateescape")


def _made(fields: Fields) -> Made:
    when = fields.text("when", 32)
    try:
        datetime.strptime(when, "%Y-%m-%d %H:%M")
    except ValueError:
        raise wrong(fields.place, "has no date") from None
    words = [fields.text(name, 128) for name in ("kernel", "machine", "lab")]
    if not all(map(_RELEASE.fullmatch, words)):
        raise wrong(fields.place, "does not say which kernel it was")
    kernel, machine, lab = words
    return Made(kernel, machine, when, lab)


def _dialect(fields: Fields) -> str:
    try:
        return Dialect(fields.text("dialect", 16)).value
    except ValueError:
        raise wrong(fields.place, "is of an unknown dialect") from None


def _asked(fields: Fields) -> Asked:
    return Asked(
        command=fields.texts("command") if "command" in fields else None,
        events=fields.integer("events") if "events" in fields else None,
        only=fields.truth("only"),
        attach=fields.pairs("attach"),
        settings=fields.pairs("settings"),
        stream_types=fields.pairs("stream_types"),
        backend=fields.text("backend", 16),
    )


def _outcome(fields: Fields, members: Members) -> Outcome:
    clock = fields.object("clock")
    streams = tuple(_stream(each, at, members) for at, each in enumerate(fields.objects("streams")))
    maps = MapsRead(
        [_table(each, at, members) for at, each in enumerate(fields.objects("maps"))],
        [_stacks(each, at, members) for at, each in enumerate(fields.objects("stacks"))],
    )
    runs = fields.object("runs")
    account = Account(
        maps=maps,
        programs={name: _runs(runs.object(name)) for name in runs.names()},
        left_out={_probe(name, fields): why for name, why in fields.pairs("left_out").items()},
        uncounted=fields.text("uncounted"),
        seconds=fields.number("seconds"),
        clock=TraceClock(
            clock.integer("start_monotonic_ns"),
            clock.integer("start_boottime_ns"),
            clock.integer("start_tai_ns"),
            clock.integer("start_wall_ns"),
        ),
        nobody_followed=fields.truth("nobody_followed"),
        filtered=fields.truth("filtered"),
        unseen=fields.integer("unseen"),
        unmapped=fields.integer("unmapped"),
        remarks=fields.texts("remarks"),
    )
    return Outcome(
        account=account,
        functions=fields.texts("functions"),
        streams=streams,
        inherited=fields.numbered("inherited"),
        directory=fields.text("directory"),
        names=_book(parse(_member(members, "names.json"), "names.json")),
        programs=_programs(fields.object("programs"), members),
        warnings=failures.read_marks(fields, "warnings"),
        output=members.get("output"),
        status=fields.integer("status", -(1 << 31), 1 << 31) if "status" in fields else None,
    )


def _probe(name: str, fields: Fields) -> Probe:
    try:
        return Probe.parse(name)
    except UsageProblem:
        raise wrong(fields.place, f"was without {name!r}, which is no probe") from None


def _runs(fields: Fields) -> ProgramStats:
    return ProgramStats(
        fields.integer("runs") if "runs" in fields else None,
        fields.number("ns_per_run") if "ns_per_run" in fields else None,
        fields.integer("missed"),
    )


def _types(fields: Fields) -> tuple[CType, ...]:
    return tuple(types.read(each) for each in fields.objects("types", 64))


def _stream(fields: Fields, at: int, members: Members) -> RecordedStream:
    place = f"streams/{at}"
    kind = _KINDS.get(fields.text("kind", 16))
    if kind is None:
        raise wrong(fields.place, "is of an unknown kind")
    stream = LoadedStream(fields.text("name", 256), kind, None, _types(fields), fields.text("why"))
    data, index = (np.frombuffer(_member(members, f"{place}/{name}"), np.uint8) for name in ("data", "index"))
    table = _member(members, f"{place}/batches")
    if len(table) % BATCH.itemsize or len(index) % 8:
        raise wrong(place, "has half a row")
    rows, numbers = np.frombuffer(table, BATCH), index.view("<i8")
    if len(rows) and (min(int(rows[name].min()) for name in BATCH.names or ()) < 0):
        raise wrong(place, "has numbers below zero")
    batches, begun, used = [], 0, 0
    for size, count, order, _, padded, indexed in rows.tolist():
        end = begun + size * count
        if count < 1 or end > len(data) or (indexed and used + count > len(numbers)) or order >> 53:
            raise wrong(place, "has more rows than events")
        if kind == "printk" and size <= HEAD.itemsize:
            raise wrong(place, "has lines that are too short")
        own = None
        if indexed:
            own = numbers[used : used + count].astype(np.int64)
            used += count
            if own[0] < 0 or (np.diff(own) <= 0).any():
                raise wrong(place, "has events in no order")
            order = int(own[0])
        batches.append(Batch(size, data[begun:end].reshape(count, size).copy(), order, own, bool(padded)))
        begun = end
    if begun != len(data) or used != len(numbers):
        raise wrong(place, "has events that belong to no row")
    recorded = RecordedStream(
        stream,
        tuple(batches),
        tuple(rows["arrival"].tolist()),
        fields.integer("delivered", sum(map(len, batches))),
        fields.integer("dropped"),
    )
    if (why := too_much(recorded)) is not None:
        raise wrong(place, why)
    return recorded


def too_much(recorded: RecordedStream) -> str | None:
    """Why a stream is more than a recording may hold, None where it is not."""
    types_of = recorded.stream.types
    longest = max((each.size for each in types_of), default=0)
    cells = sum(types.columns(each) for each in types_of) or 1
    if sum(len(each) * max(each.record_size, longest, 1) for each in recorded.batches) > limits.DECODED:
        return f"decodes to more than {limits.DECODED:,} bytes"
    if recorded.events * cells > limits.CELLS:
        return f"decodes to more than {limits.CELLS:,} values"
    return None


def _source(fields: Fields) -> LoadedMap:
    found = LoadedMap(
        name=fields.text("name", 256),
        fd=-1,
        type=fields.integer("type", 0, 1 << 16),
        key_size=fields.integer("key_size", 0, limits.TYPE),
        value_size=fields.integer("value_size", 0, limits.MAPS),
        max_entries=fields.integer("max_entries", 0, 1 << 32),
        key=types.read(fields.object("key")) if "key" in fields else None,
        value=types.read(fields.object("value")) if "value" in fields else None,
        histogram=fields.truth("histogram"),
    )
    return found


def _table(fields: Fields, at: int, members: Members) -> tuple[LoadedMap, MapContents]:
    source, place = _source(fields), f"maps/{at}"
    count, cpus = fields.integer("count", 0, limits.CELLS), fields.integer("cpus", 1, 1 << 13)
    keys, values = (
        np.frombuffer(_member(members, f"{place}/{name}"), np.uint8) for name in ("keys", "values")
    )
    cells = sum(types.columns(each) for each in (source.key, source.value) if each is not None) or 2
    sizes = [each.size for each in (source.key, source.value) if each is not None]
    if len(keys) != count * source.key_size or len(values) != count * cpus * source.value_size:
        raise wrong(place, "has not as many bytes as elements")
    if count * cpus * cells > limits.CELLS or count * cpus * max(sizes, default=0) > limits.DECODED:
        raise wrong(place, "decodes to more than frames hold")
    return source, MapContents(
        keys=keys.reshape(count, source.key_size),
        values=values.reshape(count, cpus, source.value_size),
        why=fields.text("why"),
        complete=fields.truth("complete"),
    )


def _stacks(fields: Fields, at: int, members: Members) -> tuple[LoadedMap, dict[int, Addresses]]:
    source, place = _source(fields), f"stacks/{at}"
    raw = [_member(members, f"{place}/{name}") for name in ("ids", "lengths", "addresses")]
    if any(len(each) % 8 for each in raw):
        raise wrong(place, "has half a number")
    ids, lengths = (np.frombuffer(each, "<i8").tolist() for each in raw[:2])
    addresses = np.frombuffer(raw[2], "<u8").astype(np.uint64)
    if len(ids) != len(lengths) or min(lengths, default=0) < 0 or sum(lengths) != len(addresses):
        raise wrong(place, "has not as many addresses as it says")
    ends = np.cumsum([0, *lengths])
    return source, {number: addresses[ends[row] : ends[row + 1]] for row, number in enumerate(ids)}


def _book(fields: Fields) -> Book:
    processes = fields.object("processes")
    book = Book(
        kernel=fields.numbered("kernel", 16),
        processes={word(pid, processes.place, 10): processes.numbered(pid, 16) for pid in processes.names()},
        users=fields.numbered("users"),
        forbidden={integer(pid, fields.place, 0, 1 << 31) for pid in fields.list("forbidden", 1 << 16)},
        no_kernel=fields.text("no_kernel"),
    )
    if len(book) > limits.NAMES:
        raise wrong(fields.place, f"has more than {limits.NAMES:,} names")
    return book


def _programs(fields: Fields, members: Members) -> Programs:
    absent, made = fields.object("absent"), parse(_member(members, "programs.json"), "programs.json")
    return Programs(
        codes=tuple(codes.read(each) for each in made.objects("codes")),
        call_base=word(fields.text("call_base", 16), fields.place, 16),
        logs={
            name: _text(_member(members, f"verifier/{at}.log"), f"verifier/{at}.log", limits.LOG)
            for at, name in enumerate(fields.texts("verified"))
        },
        absent={name: failures.read(absent.object(name)) for name in absent.names()},
    )

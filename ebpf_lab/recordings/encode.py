"""From a recording to the members of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from ebpf_lab.backends.loaded import LoadedMap, LoadedStream
from ebpf_lab.frame.stacks import Addresses
from ebpf_lab.recordings import codes, failures, types
from ebpf_lab.recordings.fields import dump
from ebpf_lab.recordings.model import Book, Outcome, Programs, RecordedStream, Recording

FORMAT, VERSION = "ebpf-lab recording", 1
"""What ``recording.json`` says that it is."""

BATCH = np.dtype(
    [
        ("record_size", "<i8"),
        ("count", "<i8"),
        ("order", "<i8"),
        ("arrival", "<i8"),
        ("padded", "<i8"),
        ("indexed", "<i8"),
    ]
)
"""A row of ``streams/N/batches``."""


def encode(recording: Recording) -> dict[str, bytes]:
    """The members of a recording's file, by name."""
    main: dict[str, object] = {
        "format": FORMAT,
        "version": VERSION,
        "made": asdict(recording.made),
        "key": recording.key,
        "dialect": recording.dialect,
        "asked": asdict(recording.asked),
    }
    members = {"program.c": recording.text.encode(errors="surrogatepass")}
    if recording.error is not None:
        main["error"] = failures.plain(recording.error)
    if recording.outcome is not None:
        main["outcome"] = _outcome(recording.outcome, members)
    return {"recording.json": dump(main), **members}


def _outcome(outcome: Outcome, members: dict[str, bytes]) -> dict[str, object]:
    if outcome.output is not None:
        members["output"] = outcome.output
    members["names.json"] = dump(_book(outcome.names))
    account = outcome.account
    return {
        "clock": asdict(account.clock),
        "seconds": account.seconds,
        "functions": list(outcome.functions),
        "streams": [_stream(each, f"streams/{at}", members) for at, each in enumerate(outcome.streams)],
        "maps": [
            _map(each)
            | {"cpus": read.values.shape[1], "why": read.why, "complete": read.complete}
            | _arrays(f"maps/{at}", {"keys": read.keys, "values": read.values}, members)
            for at, (each, read) in enumerate(account.maps.tables)
        ],
        "stacks": [
            _map(each) | _stacks(f"stacks/{at}", stacks, members)
            for at, (each, stacks) in enumerate(account.maps.stacks)
        ],
        "runs": {name: asdict(each) for name, each in account.programs.items()},
        "left_out": {str(probe): why for probe, why in account.left_out.items()},
        "uncounted": account.uncounted,
        "nobody_followed": account.nobody_followed,
        "filtered": account.filtered,
        "unseen": account.unseen,
        "unmapped": account.unmapped,
        "remarks": list(account.remarks),
        "inherited": {str(fd): name for fd, name in outcome.inherited.items()},
        "directory": outcome.directory,
        "status": outcome.status,
        "warnings": [asdict(each) for each in outcome.warnings],
        "programs": _programs(outcome.programs, members),
    }


def _stream(recorded: RecordedStream, place: str, members: dict[str, bytes]) -> dict[str, object]:
    stream: LoadedStream = recorded.stream
    rows = np.zeros(len(recorded.batches), BATCH)
    for at, (batch, arrival) in enumerate(zip(recorded.batches, recorded.arrivals, strict=True)):
        order = batch.order if batch.index is None else 0
        rows[at] = (
            batch.record_size, len(batch), order, arrival, batch.padded, batch.index is not None,
        )  # fmt: skip
    members[f"{place}/batches"] = rows.tobytes()
    members[f"{place}/data"] = b"".join(batch.data.tobytes() for batch in recorded.batches)
    members[f"{place}/index"] = b"".join(
        batch.index.astype("<i8").tobytes() for batch in recorded.batches if batch.index is not None
    )
    return {
        "name": stream.name,
        "kind": stream.kind,
        "types": [types.plain(each) for each in stream.types],
        "why": stream.why,
        "delivered": recorded.delivered,
        "dropped": recorded.dropped,
    }


def _map(source: LoadedMap) -> dict[str, object]:
    return {
        "name": source.name,
        "type": int(source.type),
        "key_size": source.key_size,
        "value_size": source.value_size,
        "max_entries": source.max_entries,
        "key": None if source.key is None else types.plain(source.key),
        "value": None if source.value is None else types.plain(source.value),
        "histogram": source.histogram,
    }


def _arrays(
    place: str,
    arrays: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]],
    members: dict[str, bytes],
) -> dict[str, object]:
    for name, array in arrays.items():
        members[f"{place}/{name}"] = array.tobytes()
    return {"count": len(next(iter(arrays.values())))}


def _stacks(place: str, stacks: Mapping[int, Addresses], members: dict[str, bytes]) -> dict[str, object]:
    chains = [np.asarray(each, "<u8") for each in stacks.values()]
    arrays = {
        "ids": np.array(list(stacks), "<i8"),
        "lengths": np.array([len(each) for each in chains], "<i8"),
        "addresses": np.concatenate([np.empty(0, "<u8"), *chains]),
    }
    return _arrays(place, arrays, members)


def _book(book: Book) -> dict[str, object]:
    return {
        "kernel": {f"{address:x}": name for address, name in book.kernel.items()},
        "processes": {
            str(pid): {f"{address:x}": name for address, name in names.items()}
            for pid, names in book.processes.items()
        },
        "users": {str(uid): name for uid, name in book.users.items()},
        "forbidden": sorted(book.forbidden),
        "no_kernel": book.no_kernel,
    }


def _programs(programs: Programs, members: dict[str, bytes]) -> dict[str, object]:
    members["programs.json"] = dump({"codes": [codes.plain(each) for each in programs.codes]})
    for at, log in enumerate(programs.logs.values()):
        members[f"verifier/{at}.log"] = log.encode(errors="replace")
    return {
        "call_base": f"{programs.call_base:x}",
        "verified": list(programs.logs),
        "absent": {name: failures.plain(error) for name, error in programs.absent.items()},
    }

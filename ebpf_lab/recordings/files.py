"""Recordings written and read, and decoded once each time: what is there later can be relied on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ebpf_lab.errors import RecordingDamaged
from ebpf_lab.recordings import archive
from ebpf_lab.recordings.decode import decode
from ebpf_lab.recordings.encode import encode
from ebpf_lab.recordings.model import Recording
from ebpf_lab.replaying import Replaying
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.spec import Dialect, ProgramSpec


def save(path: Path, recording: Recording) -> None:
    """Write a recording, once it is sure that it can be read.

    Raises
    ------
    UsageProblem
        It cannot be written there.
    RecordingDamaged
        The trace holds what recordings cannot.
    """
    data = archive.pack(encode(recording))
    parse(archive.unpack(data, path.name))
    archive.write(path, data)


def load(path: Path) -> Recording:
    """Read a recording, and decode all of it once: what comes of it later can be relied on.

    Raises
    ------
    UsageProblem
        There is no such file.
    RecordingDamaged
        It is no recording, or not a whole one, or of another version.
    """
    return parse(archive.read(path))


def parse(members: Mapping[str, bytes]) -> Recording:
    """As :func:`load`, of what is in the file."""
    recording = decode(members)
    _check(recording)
    return recording


def _check(recording: Recording) -> None:
    if recording.outcome is None:
        return
    try:
        engine = Replaying(recording, spec_of(recording), pace=None, hold=True, on_end=lambda: None)
        engine.detach()
        results = engine.results(0.0)
        _ = results.frames, results.maps, results.notes, results.header
    except RecordingDamaged:
        raise
    except Exception as error:  # whatever decoding stumbles over, the file is wrong
        raise RecordingDamaged("the recording is damaged: it does not decode", why=str(error)) from error


def spec_of(recording: Recording) -> ProgramSpec:
    """What the recorded text asks for."""
    asked = recording.asked
    return analyse(
        recording.text,
        dialect=Dialect(recording.dialect),
        attach=asked.attach,
        settings=asked.settings,
        events=asked.stream_types,
    )

"""Recordings as files, and traces that run again from them: no kernel is asked."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import recordings
from support.machine import ROOT

import ebpf_lab
from ebpf_lab import MissingPrivilege, RecordingDamaged, UsageProblem, VerifierRejected, session
from ebpf_lab.cli import main
from ebpf_lab.recordings import archive, course, limits
from ebpf_lab.recordings.decode import decode
from ebpf_lab.recordings.encode import encode
from ebpf_lab.recordings.files import save, spec_of
from ebpf_lab.recordings.model import Asked

ARGUMENTS = {"command": ["sh", "-c", "true"], "only": True, "set": {"least": "5"}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trace.zip"
    save(path, recordings.recording())
    return path


def test_a_recording_is_read_as_it_was_written() -> None:
    for made in (recordings.recording(), recordings.failed(), recordings.unprivileged()):
        members = encode(made)
        assert encode(decode(members)) == members


def test_equal_recordings_are_equal_files_for_their_owner_alone(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    other.write_bytes(b"what was there before")
    other.chmod(0o644)
    save(other, recordings.recording())
    assert other.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(other.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as archived:  # as documented: anybody's program for ZIP archives reads it
        assert archived.read("program.c").decode() == recordings.TEXT
        assert json.loads(archived.read("recording.json"))["version"] == 1


def test_nothing_is_left_of_a_file_that_cannot_be_written(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageProblem, match="cannot be written") as raised:
        save(file, recordings.recording())
    assert "No space left" in raised.value.why
    assert (file.read_bytes(), list(file.parent.iterdir())) == (before, [file])


def test_the_header_names_a_place_of_several_programs_once(file: Path) -> None:
    results = ebpf_lab.replay(file).results()
    results.spec = replace(results.spec, programs=results.spec.programs * 9)
    assert " · libbpf · 9 × tracepoint:syscalls:sys_enter_execve" in results.header


def test_everything_comes_back(file: Path) -> None:
    trace = ebpf_lab.replay(file)
    assert not trace.running
    made = "REPLAYED from Linux 6.12.57+deb13-amd64 x86_64, 2026-11-21 20:15 UTC"
    assert trace.header == (
        f"{made} · 31 events · 0.10 s · 5 lost · 2 undecoded · kept the first 24 · 250 ns per run · libbpf"
        " · tracepoint:syscalls:sys_enter_execve · without tracepoint:syscalls:sys_enter_open"
    )
    frame = trace.frame
    assert frame["ts"].tolist() == [pd.Timedelta(number * 1000) for number in [*range(13), *range(15, 23)]]
    assert set(frame["uid_name"]) == {"ada"}
    assert set(frame["stack"]) == {"main [prog];work [prog]"}
    assert frame["parity"].tolist()[:2] == ["EVEN", "ODD"]
    assert trace.frames["printk"]["message"].tolist() == ["hello"]
    assert trace.maps["counts"]["value"].tolist() == [1, 5, 9, 13, 17]
    assert trace.maps["stacks"]["symbol"].tolist()[2:] == ["vfs_read+0x10", "0xffffffff81000020"]
    assert trace.stats["events"].not_kept == 7
    assert trace.results().notes[-1] == "events: the recording holds the first 23 of 30 events"
    assert trace.command_status == -15
    assert [each.note for each in trace.warnings] == ["unused"]
    assert (trace.disassembly()["line"].tolist(), trace.jited()["code"].tolist()[-1]) == ([9, 9], "ret")
    assert trace.verifier_log()["code"].tolist() == ["r0 = 0", "exit"]
    assert [len(each) for each in trace.take().values()] == [21, 1]
    assert len(trace.frame) == 0
    assert "REPLAYED" in repr(trace)


def test_what_was_not_recorded_says_so(tmp_path: Path) -> None:
    file = tmp_path / "trace.zip"
    save(file, recordings.unprivileged())
    trace = ebpf_lab.replay(file)
    with pytest.raises(MissingPrivilege, match="REPLAYED from Linux"):
        trace.disassembly()
    with pytest.raises(UsageProblem, match="native code was not recorded"):
        trace.jited()
    with pytest.raises(UsageProblem, match="the verifier's log was not recorded"):
        trace.verifier_log()
    with pytest.raises(UsageProblem, match="level 2 alone"):
        trace.verifier_log(level=1)


def test_a_failure_is_the_same_failure_each_time(tmp_path: Path) -> None:
    file = tmp_path / "failed.zip"
    save(file, recordings.failed())
    for _ in range(2):
        with pytest.raises(VerifierRejected) as raised:
            ebpf_lab.replay(file)
        assert raised.value.rule == "null check"
        assert raised.value.path["after"].tolist() == ["0"]
        assert "\n  REPLAYED from Linux 6.12.57+deb13-amd64 x86_64, 2026-11-21 20:15 UTC\n" in str(
            raised.value
        )


def test_at_its_own_pace_events_come_when_they_came(file: Path) -> None:
    seen = []
    begin = time.monotonic()
    with ebpf_lab.replay(file, pace=0.04) as trace:  # 25 times as long: 2.5 s
        while trace.running:
            # The time last: it is then true that so much had come by then.
            count, header = trace.results().delivered, trace.header
            seen.append((time.monotonic() - begin, count, header))
            trace.join(0.02)
    assert 2.25 < seen[-1][0] < 30
    early = [count for when, count, _ in seen if when < 1.5]
    assert early[-1] == 16
    assert all("REPLAYED" in header for _, _, header in seen)
    # Losses and runs are known of the whole alone.
    assert "ns per" not in seen[0][2]
    assert (trace.results().delivered, trace.results().dropped) == (31, 5)
    assert trace.header == ebpf_lab.replay(file).header


def test_stop_ends_it_early_and_keeps_what_came(file: Path) -> None:
    trace = ebpf_lab.replay(file, pace=0.01).start()
    while trace.results().delivered < 12:
        time.sleep(0.01)
    trace.stop()
    assert 0 < trace.results().delivered < 31
    assert trace.results().seconds < 0.1


def test_a_background_cell_is_held_until_it_is_stopped(file: Path) -> None:
    trace = session.prepare(recordings.TEXT, replay=file, hold=True, **ARGUMENTS).start()
    while trace.results().delivered < 31:
        time.sleep(0.01)
    assert trace.running
    assert trace.stop().results().delivered == 31


def test_the_program_must_be_the_recorded_one(file: Path) -> None:
    heard: list[bytes] = []
    spaces = recordings.TEXT.replace("\n", "  \n") + "\n\n"
    session.prepare(spaces, replay=file, output=heard.append, **ARGUMENTS).run()
    assert heard == [b"said\n\\x1b[1m\xff"]
    changed = recordings.TEXT.replace("hello", "goodbye")
    with pytest.raises(UsageProblem, match="is a recording of another program") as raised:
        session.prepare(changed, replay=file, **ARGUMENTS)
    assert raised.value.why.splitlines() == [
        "they differ:",
        '-    bpf_printk("hello");',
        '+    bpf_printk("goodbye");',
    ]
    with pytest.raises(UsageProblem, match="recorded with the command sh -c true, and this asks for no "):
        session.prepare(recordings.TEXT, replay=file, set={"least": "5"})
    with pytest.raises(UsageProblem, match="recorded with --set least=5, and this asks for no --set"):
        session.prepare(recordings.TEXT, replay=file, **(ARGUMENTS | {"set": {}}))
    # When it ends is the recording's own.
    session.prepare(recordings.TEXT, replay=file, seconds=3, **ARGUMENTS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"replay": "x.zip", "record": "y.zip"}, "recorded or replayed, not both"),
        ({"pace": 2.0}, "a pace is for a recording"),
        ({"replay": "no-such.zip"}, "no-such.zip: no recording can be read"),
        ({"record": "no/such/directory.zip"}, "the recording cannot be written"),
    ],
)
def test_wrong_usage_is_said(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(UsageProblem, match=words):
        session.prepare(recordings.TEXT, **arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageProblem, match="pace must be more than 0"):
        ebpf_lab.replayed.checked_pace(0.0)


@pytest.mark.parametrize(("version", "hint"), [(0, "record it again"), (2, "update the lab")])
def test_another_version_is_told_from_damage(version: int, hint: str, tmp_path: Path) -> None:
    members = encode(recordings.recording())
    main = json.loads(members["recording.json"]) | {"version": version}
    path = tmp_path / "trace.zip"
    archive.write(path, archive.pack(members | {"recording.json": json.dumps(main).encode()}))
    with pytest.raises(RecordingDamaged, match=f"format's version {version}") as raised:
        ebpf_lab.replay(path)
    assert hint in raised.value.hint


def test_a_directory_is_searched_for_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = recordings.recording()
    for machine in ("aarch64", "x86_64"):
        file = course.place(tmp_path / "00_lesson" / machine, made.text, made.asked, "on_exec")
        file.parent.mkdir(parents=True)
        save(file, replace(made, made=replace(made.made, machine=machine)))
    for machine in ("x86_64", "aarch64"):
        monkeypatch.setattr(course.platform, "machine", lambda machine=machine: machine)
        trace = session.prepare(recordings.TEXT, replay=tmp_path, **ARGUMENTS).run()
        assert f" {machine}, 2026" in trace.header
    with pytest.raises(UsageProblem, match="no recording of this cell as it is now") as raised:
        session.prepare(recordings.TEXT + "int more;", replay=tmp_path, **ARGUMENTS)
    assert "undo the changes" in raised.value.hint
    assert course.place(tmp_path, "a", Asked(), "").name.startswith("program-")


def test_a_course_that_is_shown_replays_what_scripts_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recordings.recording()
    asked = Asked(settings=ARGUMENTS["set"])
    for each in (made, replace(made, asked=asked)):
        save(course.place(tmp_path, each.text, each.asked, ""), each)
    monkeypatch.setenv(course.REPLAY, str(tmp_path))
    assert ebpf_lab.trace(recordings.TEXT, **ARGUMENTS).header.startswith("REPLAYED from Linux")
    with ebpf_lab.trace(recordings.TEXT, set=ARGUMENTS["set"]) as trace:
        while trace.results().delivered < 31:
            time.sleep(0.01)
        assert trace.running  # nothing but the block's end ends it
    assert not trace.running


def test_what_is_too_large_is_cut_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    from ebpf_lab.readers.batch import Batch
    from ebpf_lab.tape import Tape

    monkeypatch.setattr(limits, "EVENTS", 13 * recordings.EVENT.size)
    tape = Tape(Path("unwritten.zip"), Asked())
    stream = recordings.outcome().streams[0].stream
    note = tape.noting(stream)
    for order in (0, 10, 20):
        note(Batch(48, np.zeros((10, 48), np.uint8), order))
    batches, arrivals = tape.batches("events")
    assert ([len(each) for each in batches], len(arrivals)) == ([10, 3], 2)
    assert tape.remarks() == ("events: the recording holds the first 13 of 30 events",)


def test_the_command_line_replays_a_program(
    file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "program.c"
    program.write_text(recordings.TEXT)
    arguments = ["run", str(program), "--replay", str(file), "--json", "--set", "least=5", "--only"]
    assert main([*arguments, "--", "sh", "-c", "true"]) == 0
    shown, said = capfd.readouterr()
    assert [json.loads(line)["uid_name"] for line in shown.splitlines()] == ["ada"] * 21
    assert "program.c is replayed" in said
    assert "said\n\\x1b[1m" in said
    assert f"{recordings.MADE} · 31 events · " in said
    assert main(arguments) == 2
    assert "only needs a command" in capfd.readouterr()[1]


_BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in BLOCKED or name.partition(".")[0] in BLOCKED:
            raise ImportError(name + " is only to be had on Linux")

BLOCKED = {"jupyter_client", "IPython", "fcntl", "resource", "termios", "pwd", "grp", "bcc", "pty",
    "ebpf_lab.running", "ebpf_lab.attach", "ebpf_lab.readers.perf", "ebpf_lab.readers.ringbuf",
    "ebpf_lab.readers.printk", "ebpf_lab.backends.bcc", "ebpf_lab.backends.libbpf"}
import select, signal, os, time  # which are everywhere, but not with all of these
for module, name in ((select, "epoll"), (select, "poll"), (signal, "SIGKILL"), (os, "pipe2"),
                     (os, "killpg"), (os, "setsid"), (os, "sched_getaffinity"), (time, "CLOCK_BOOTTIME")):
    delattr(module, name)
for name in BLOCKED:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Blocker())
import ebpf_lab
trace = ebpf_lab.replay(sys.argv[1])
print(trace.header)
print(len(trace.frame), len(trace.maps["counts"]), len(trace.disassembly()), len(trace.verifier_log()))
import ebpf_lab.cli  # and so can the command line
"""


def test_nothing_that_only_linux_has_is_needed(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BLOCKED, file],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "21 5 2 2"
    assert done.stdout.startswith("REPLAYED from Linux")


def test_what_a_recording_asks_for_is_what_its_text_says() -> None:
    spec = spec_of(recordings.recording())
    assert [each.function for each in spec.programs] == ["on_exec"]

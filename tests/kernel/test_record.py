"""Traces that are recorded live and replayed: what comes back is the same, column by column."""

from __future__ import annotations

import stat
from pathlib import Path

import pandas as pd
import pytest
from support.backends import LIBBPF, each_backend
from support.texts import EVENT, on_seek, seek_stream

import ebpf_lab
from ebpf_lab import Trace, VerifierRejected

each_kind = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("ringbuf", "perfbuf", "printk")]
)
EVENTS = 23


def same(live: Trace, replayed: Trace) -> None:
    """Frames, maps, counts and words of both."""
    for now, then in ((live.frames, replayed.frames), (live.maps, replayed.maps)):
        assert list(now) == list(then)
        for name, frame in now.items():
            pd.testing.assert_frame_equal(frame, then[name], check_exact=True)
    assert replayed.stats == live.stats
    assert replayed.results().notes == live.results().notes
    made, _, header = replayed.header.partition(" · ")
    assert made.startswith("REPLAYED from Linux ")
    assert header == live.header


@each_backend
@each_kind
def test_every_event_is_replayed(kind: str, backend: str, seek: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.zip"
    printed: list[bytes] = []
    live = ebpf_lab.trace(
        seek_stream(backend, kind),
        command=["sh", "-c", f"{seek} {EVENTS}; echo said; exit 7"],
        output=printed.append,
        record=file,
    )
    assert len(live.frame) == EVENTS
    replayed = ebpf_lab.replay(file)
    same(live, replayed)
    assert (replayed.command_status, b"".join(printed)) == (7, b"said\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # What the programs became is as it was, the names of what they call included.
    for show in ("disassembly", "jited"):
        assert getattr(replayed, show)().equals(getattr(live, show)())
    assert set(replayed.verifier_log()["program"]) == {each.function for each in live.spec.programs}
    (taken,) = replayed.take().values()
    assert (len(taken), len(replayed.frame)) == (EVENTS, 0)
    assert list(tmp_path.iterdir()) == [file]


_STACKS = """
struct {
    __uint(type, BPF_MAP_TYPE_STACK_TRACE);
    __uint(max_entries, 64);
    __uint(key_size, sizeof(u32));
    __uint(value_size, 127 * sizeof(u64));
} stacks SEC(".maps");
struct caller { u64 ts; u32 pid; u32 uid; int user_stack_id; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); } callers SEC(".maps");
"""
_CALLER = """
    struct caller *caller = bpf_ringbuf_reserve(&callers, sizeof(*caller), 0);
    if (!caller)
        return 0;
    caller->ts = bpf_ktime_get_ns();
    caller->pid = bpf_get_current_pid_tgid() >> 32;
    caller->uid = bpf_get_current_uid_gid();
    caller->user_stack_id = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
    bpf_ringbuf_submit(caller, 0);
"""


@LIBBPF
@pytest.mark.needs("ringbuf")
def test_functions_and_users_keep_their_names(seek: Path, tmp_path: Path) -> None:
    """The program and the process are gone by then, and so may be the machine."""
    file = tmp_path / "stacks.zip"
    text = on_seek("libbpf", _CALLER, _STACKS)
    live = ebpf_lab.trace(text, command=[str(seek), str(EVENTS)], record=file)
    replayed = ebpf_lab.replay(file)
    same(live, replayed)
    assert replayed.frame["user_stack"].str.contains("libc").all()
    assert set(replayed.frame["uid_name"]) == {"root"}


@LIBBPF
@pytest.mark.needs("ringbuf")
def test_what_was_taken_is_in_the_recording(seek: Path, tmp_path: Path) -> None:
    file = tmp_path / "taken.zip"
    trace = ebpf_lab.session.prepare(
        seek_stream("libbpf", "ringbuf"), command=[str(seek), "10007"], record=file
    ).start()
    taken = []
    while not trace.join(0):
        taken += trace.take()["events"]["offset"].tolist()
    taken += trace.take()["events"]["offset"].tolist()
    assert sorted(taken) == list(range(10007))
    assert ebpf_lab.replay(file).frame["offset"].tolist() == taken


@LIBBPF
@pytest.mark.needs("ringbuf")
def test_a_rejected_program_is_rejected_again_in_the_same_words(tmp_path: Path) -> None:
    file = tmp_path / "rejected.zip"
    body = """
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    event->pid = 1;
    bpf_ringbuf_submit(event, 0);"""
    ring = 'struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");'
    text = on_seek("libbpf", body, EVENT + ring)
    with pytest.raises(VerifierRejected) as live:
        ebpf_lab.trace(text, seconds=1, record=file)
    with pytest.raises(VerifierRejected) as replayed:
        ebpf_lab.replay(file)
    now, then = live.value, replayed.value
    assert (then.what, then.where, then.why, then.hint) == (now.what, now.where, now.why, now.hint)
    assert (then.rule, then.log, then.source) == (now.rule, now.log, now.source)
    assert then.path.equals(now.path)
    assert then.replayed.startswith("REPLAYED from Linux ")
    assert then.replayed in str(then)


@LIBBPF
@pytest.mark.needs("ringbuf")
def test_a_place_that_cannot_be_written_is_said_before_the_trace(tmp_path: Path, seek: Path) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(ebpf_lab.UsageProblem, match="the recording cannot be written"):
        ebpf_lab.trace(
            seek_stream("libbpf", "ringbuf"), command=["touch", str(marker)], record=tmp_path / "no/such.zip"
        )
    assert not marker.exists()

"""``ebpf-lab snippets --check --here``: what loads, what does not and why, and what should and fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ebpf_lab import cli
from ebpf_lab.source import snippets

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")


def _check(capsys: pytest.CaptureFixture[str], *patterns: str) -> tuple[int, dict[str, dict[str, Any]]]:
    status = cli.main(["snippets", "--check", "--here", "--json", *patterns])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return status, {row["name"]: row for row in rows}


def test_what_loads_and_what_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    status, rows = _check(capsys, "exec_ring.libbpf", "rejected/null_check_missing.libbpf")
    assert status == 0
    assert {name: (row["state"], row["why"]) for name, row in rows.items()} == {
        "exec_ring.libbpf": ("loaded", ""),
        "rejected/null_check_missing.libbpf": ("rejected", ""),
    }


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["snippets", "--check", "--here", "exec_ring.libbpf"]) == 0
    _, row = capsys.readouterr().out.splitlines()
    assert row.split() == ["exec_ring.libbpf", "loaded"]


_HEADER = """// SPDX-License-Identifier: GPL-2.0
// title:    A program
// teaches:  nothing
// attach:   tracepoint:syscalls:sys_enter_lseek
// needs:    tracepoint, libbpf
// workload: true
// emits:    ts u64
// expect:   rows == 0
// limits:   everything
"""
_PROGRAM = """
SEC("tracepoint/syscalls/sys_enter_lseek")
int on_seek(void *ctx)
{
    %s
    return 0;
}
"""
_LOOP = "for (volatile int i = 0; i >= 0; i++)\n        ;"


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(snippets, "directory", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        (_HEADER + _PROGRAM % 'bpf_printk("here");', "loaded", ""),
        (_HEADER + _PROGRAM % _LOOP, "FAILED", "VerifierRejected: on_seek"),
        (_HEADER + _PROGRAM % "no C", "FAILED", "CompileError"),
        (_HEADER.replace("sys_enter_lseek", "sys_enter_nothing") + _PROGRAM % "", "FAILED", "nothing"),
    ],
    ids=["loads", "rejected", "no C", "no place"],
)
def test_what_should_load_and_does_not_fails_the_check(
    gallery: Path, capsys: pytest.CaptureFixture[str], text: str, state: str, words: str
) -> None:
    if "sys_enter_nothing" in text:
        text = text.replace('sys_enter_lseek")', 'sys_enter_nothing")')
    (gallery / "program.libbpf.c").write_text(text)
    status, rows = _check(capsys)
    assert rows["program.libbpf"]["state"] == state
    assert words in rows["program.libbpf"]["why"]
    assert status == (state == "FAILED")


@pytest.mark.needs("xdp")
def test_the_interface_of_a_program_need_not_be_there(
    gallery: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = _HEADER.replace("tracepoint:syscalls:sys_enter_lseek", "arrived=xdp:nosuch0")
    text = 'SEC("xdp")\nint arrived(struct xdp_md *ctx)\n{\n    return XDP_PASS;\n}\n'
    (gallery / "program.libbpf.c").write_text(header + text)
    status, rows = _check(capsys)
    assert (status, rows["program.libbpf"]["state"]) == (0, "loaded")


def test_the_list_has_every_snippet(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["snippets", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    files = {path.relative_to(snippets.directory()).as_posix() for path in snippets.directory().rglob("*.c")}
    assert {f"{row['name']}.c" for row in rows} == files
    (ring,) = (row for row in rows if row["name"] == "exec_ring.libbpf")
    assert (ring["runs_here"], ring["why_not"], ring["must_be_rejected"]) == (True, "", False)
    assert cli.main(["snippets", "exec_ring"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "exec_ring (bcc, libbpf): Every execve() through a ring buffer",
        "    teaches    tracepoint, ring buffer: reserve, fill, submit",
        "    needs      tracepoint, ringbuf, bcc + headers, or btf + clang + libbpf",
        "    runs here  yes",
    ]


def test_the_list_only_counts_what_must_be_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["snippets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    bare = {name.rpartition(".")[0] for name in snippets.names()}
    assert sum(line.startswith("    teaches") for line in lines) == len(bare)
    assert lines[-1].startswith(f"and {len(snippets.names('rejected'))} that the verifier must reject")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["exec_rign"], "did you mean exec_ring?"), (["--here"], "--check")],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert cli.main(["snippets", *arguments]) == 2
    assert words in capsys.readouterr().err

"""The monitor of opened files sees each call that opens files, whole names, and what came of it."""

from __future__ import annotations

import json
import platform
from importlib import resources
from pathlib import Path

import pandas as pd
import pytest
from support.backends import each_backend

import ebpf_lab
from ebpf_lab.source import snippets

pytestmark = pytest.mark.needs("tracepoint", "ringbuf")

_TABLES = json.loads(resources.files("ebpf_lab.frame").joinpath("tables.json").read_text())
NUMBERS = {name: int(number) for number, name in _TABLES["syscall"][platform.machine()].items()}

# Each call by its number, since the C library makes openat() of them all.
_CALLS = """
import ctypes, os, struct, sys
call, name, opener, opener2 = ctypes.CDLL(None).syscall, sys.argv[1].encode(), *map(int, sys.argv[2:])
for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CLOEXEC, os.O_RDWR | os.O_APPEND):
    if opener:
        os.close(call(opener, name, flags, 0))
    os.close(call(opener2, -100, name, struct.pack("QQQ", flags, 0, 0), 24))
    os.close(os.open(name, flags))
"""


def traced(backend: str, *command: str) -> tuple[ebpf_lab.Trace, pd.DataFrame]:
    snippet = snippets.load(f"open_monitor.{backend}")
    trace = ebpf_lab.trace(snippet.text, attach=snippet.attach, command=command, only=True)
    return trace, trace.frame


@each_backend
def test_each_call_that_opens_files(backend: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    opener = NUMBERS.get("open", 0)
    trace, frame = traced(backend, "python3", "-c", _CALLS, str(file), str(opener), str(NUMBERS["openat2"]))
    assert trace.command_status == 0
    seen = frame[frame["filename"] == str(file)]
    calls = [*(["open"] if opener else []), "openat2", "openat"]
    assert seen["call"].tolist() == calls * 3
    modes = seen["flags_names"].tolist()
    assert [mode.partition("|")[0] for mode in modes] == [
        mode for mode in ("O_RDONLY", "O_WRONLY", "O_RDWR") for _ in calls
    ]
    assert all("O_CLOEXEC" in mode for mode in modes[len(calls) : 2 * len(calls)])
    assert (seen["ret"] >= 3).all()
    assert ("without tracepoint:syscalls:sys_enter_open" in trace.header) is (not opener)


@each_backend
def test_names_are_whole(backend: str, tmp_path: Path) -> None:
    # The longest that the kernel takes: 4095 bytes, of directories that are there.
    name = "/" * (4095 - len(str(tmp_path)) - 5) + f"{str(tmp_path)[1:]}/other"
    name = name.rjust(4095, "/")
    _, frame = traced(backend, "python3", "-c", f"import os\nos.close(os.open({name!r}, os.O_CREAT))")
    (made,) = frame[frame["filename"].str.endswith("/other")].to_dict("records")
    assert made["filename"] == name
    assert made["flags_names"] == "O_RDONLY|O_CREAT|O_CLOEXEC"

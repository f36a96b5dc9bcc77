"""``ebpf-lab run``, as a process of its own: formats read back equal, and every way to end it is clean."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.backends import each_backend
from support.machine import ROOT
from support.texts import EVENT, FAILURES, on_seek, seek_stream

from ebpf_lab.source import snippets

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")

TIME_LIMIT = 120
_MAIN = "import sys; from ebpf_lab.cli import main; sys.exit(main())"


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", _MAIN, *map(str, arguments)]


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        _command(*arguments), capture_output=True, text=True, check=False, timeout=TIME_LIMIT, env=environment
    )


def _started(*arguments: object) -> subprocess.Popen[str]:
    """A run that is attached: it has said so."""
    made = subprocess.Popen(
        _command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert made.stderr is not None
    assert "is attached" in made.stderr.readline()
    return made


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "seek.c"
    path.write_text(seek_stream("libbpf", "ringbuf"))
    return path


def _expected(number: int) -> dict[str, Any]:
    return {
        "offset": number,
        "small": 65535 - number,
        "negative": -number,
        "parity": "ODD" if number % 2 else "EVEN",
        "place.row": number + 1,
        "place.cells": bytes([0, 0, number + 2]).hex(),
        "low": number % 8,
        "where": f"{0xFFFF_0000_0000_0000 + number:#x}",
        "comm": "seek",
    }


def test_json_reads_back_equal(program: Path, seek: Path) -> None:
    done = _run("run", program, "--json", "--", seek, 23)
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [{name: row[name] for name in _expected(0)} for row in rows] == [*map(_expected, range(23))]
    assert all(0 <= row["ts"] < 100 for row in rows)
    assert "23 events" in done.stderr
    assert " 0 lost" in done.stderr


def test_csv_reads_back_equal(program: Path, seek: Path) -> None:
    rows = [*csv.DictReader(io.StringIO(_run("run", program, "--csv", "--", seek, 23).stdout))]
    wanted = [{name: str(value) for name, value in _expected(number).items()} for number in range(23)]
    assert [{name: row[name] for name in wanted[0]} for row in rows] == wanted


def test_parquet_reads_back_equal(program: Path, seek: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.parquet"
    done = _run("run", program, "--parquet", file, "--", seek, 23)
    assert (done.returncode, done.stdout) == (0, "")
    # Elsewhere, since Arrow's threads stay.
    read = "import pandas, sys; pandas.read_parquet(sys.argv[1]).to_pickle(sys.stdout.buffer)"
    pickled = subprocess.run([sys.executable, "-c", read, file], check=True, stdout=subprocess.PIPE).stdout
    frame = pickle.loads(pickled)
    assert [*tmp_path.iterdir()] == [file]
    assert frame["ts"].dtype == "timedelta64[ns]"
    for number, row in enumerate(frame.to_dict("records")):
        wanted = _expected(number)
        wanted["where"] = 0xFFFF_0000_0000_0000 + number
        wanted["place.cells"] = bytes([0, 0, number + 2])
        assert {name: row[name] for name in wanted} == wanted
    assert len(frame) == 23


def test_a_table_keeps_its_columns(program: Path, seek: Path) -> None:
    lines = _run("run", program, "--", seek, 23).stdout.splitlines()
    assert len(lines) == 24
    assert lines[0].split()[:3] == ["ts", "offset", "pid"]
    end = lines[0].index("offset") + len("offset")
    assert [line[:end].split()[-1] for line in lines[1:]] == [str(number) for number in range(23)]
    start = lines[0].index("comm")
    assert {line[start:] for line in lines[1:]} == {"seek"}


def test_what_the_command_prints_stays_apart(program: Path) -> None:
    done = _run("run", program, "--json", "--", "sh", "-c", "echo said; exit 3")
    assert done.stdout == ""
    assert "said\n" in done.stderr
    assert "ended with status 3" in done.stderr
    assert done.returncode == 0


def test_exactly_so_many_events(program: Path, seek: Path) -> None:
    done = _run("run", program, "-n", 7, "--json", "--", seek, 23)
    assert len(done.stdout.splitlines()) == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_all_that_came_is_there(program: Path, seek: Path, number: int) -> None:
    running = _started("run", program, "--json")
    subprocess.run([seek, "23"], check=True)
    running.send_signal(number)
    out, err = running.communicate(timeout=TIME_LIMIT)
    assert running.returncode == 0
    assert [json.loads(line)["offset"] for line in out.splitlines()] == [*range(23)]
    assert "23 events" in err


@pytest.mark.parametrize("form", ["--json", "--csv", "--only"])
def test_a_closed_pipe_ends_it(program: Path, seek: Path, form: str) -> None:
    """The command would run on for ever: it is ended, too."""
    script = f"while :; do {seek} 23; done"
    running = _started("run", program, form, "--", "sh", "-c", script)
    assert running.stdout is not None
    assert running.stdout.readline()
    running.stdout.close()
    assert running.wait(TIME_LIMIT) == 0
    assert running.stderr is not None
    assert "Traceback" not in running.stderr.read()


def test_a_closed_pipe_ends_it_even_when_nothing_comes(program: Path) -> None:
    running = _started("run", program, "--json")
    assert running.stdout is not None
    running.stdout.close()
    assert running.wait(TIME_LIMIT) == 0
    assert running.stderr is not None
    running.stderr.close()


@each_backend
def test_a_program_that_only_counts_prints_its_map(backend: str, seek: Path, tmp_path: Path) -> None:
    counting = {
        "libbpf": "struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, u32);"
        ' __type(value, u64); } counts SEC(".maps");',
        "bcc": "BPF_ARRAY(counts, u64, 2);\n",
    }
    body = {
        "libbpf": "u32 key = offset & 1; u64 *n = bpf_map_lookup_elem(&counts, &key); if (n) *n += 1;",
        "bcc": "counts.increment(offset & 1);",
    }
    path = tmp_path / "counts.c"
    path.write_text(on_seek(backend, body[backend], FAILURES[backend] + counting[backend]))
    done = _run("run", path, "--json", "--", seek, 23)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"key": 0, "value": 12},
        {"key": 1, "value": 11},
    ]
    assert "0 failed" in done.stderr
    assert "not shown" not in done.stderr


def test_a_stream_by_its_name(seek: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.c"
    body = """
    struct event event;
    fill(&event, offset);
    bpf_ringbuf_output(&first, &event, sizeof(event), 0);
    if (offset < 5)
        bpf_ringbuf_output(&second, &event, sizeof(event), 0);
"""
    ring = 'struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 16); }} {} SEC(".maps");'
    path.write_text(on_seek("libbpf", body, EVENT + ring.format("first") + ring.format("second")))
    main = _run("run", path, "--json", "--", seek, 23)
    assert len(main.stdout.splitlines()) == 23
    assert "not shown: second; --stream NAME shows one" in main.stderr
    chosen = _run("run", path, "--json", "--stream", "second", "--", seek, 23)
    assert len(chosen.stdout.splitlines()) == 5
    wrong = _run("run", path, "--json", "--stream", "secnod", "--", seek, 23)
    assert wrong.returncode == 2
    assert "did you mean second?" in wrong.stderr


def test_a_snippet_by_its_name_without_the_dialect() -> None:
    done = _run("run", "exec_ring", "--json", "--only", "--", "sh", "-c", snippets.load("exec_ring").workload)
    assert "exec_ring.libbpf is attached" in done.stderr
    assert sum(json.loads(line)["comm"] == "sh" for line in done.stdout.splitlines()) == 23


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (["exec_rign"], "did you mean exec_ring?", 2),
        (["exec_ring", "-t", "-5"], "-5 seconds", 2),
        (["exec_ring", "--only"], "only needs a command", 2),
        (["exec_ring", "--set", "nothing=1", "-t", "1"], "nothing", 2),
        (["exec_ring", "--json", "--csv"], "not allowed with", 2),
        (["exec_ring", "--parquet", "/no/such/file", "-t", "1"], "No such file", 2),
        (["exec_ring", "--", "no-such-command"], "no-such-command", 1),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, status: int) -> None:
    done = _run("run", *arguments)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (status, "")

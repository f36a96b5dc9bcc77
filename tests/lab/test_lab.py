"""``./lab``, as a person runs it on a machine that is already set up."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from support.machine import ROOT, lab_verbs


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "lab", *arguments], capture_output=True, text=True, check=False, cwd="/")


def test_exec_passes_back_output_and_status_and_is_fast_the_second_time() -> None:
    lab("exec", "true")
    begin = time.monotonic()
    done = lab("exec", "python", "-c", "import sys; print(sys.prefix); sys.exit(9)")
    assert time.monotonic() - begin < 2
    assert (done.stdout, done.returncode) == (f"{ROOT}/.venv\n", 9)
    assert done.stderr.splitlines() == [f"lab: running python in {ROOT}/.venv"]


def test_exec_runs_where_it_was_called() -> None:
    assert lab("exec", "pwd").stdout == "/\n"


def test_wrong_usage_is_said() -> None:
    unknown = lab("tset")
    assert unknown.returncode == 1
    assert "there is no verb tset" in unknown.stderr
    assert "usage: ./lab" in unknown.stderr
    assert "exec which command?" in lab("exec").stderr
    assert "no option --nobrowser" in lab("start", "--nobrowser").stderr


def test_run_and_snippets_pass_through() -> None:
    done = lab("run", "exec_ring", "--json", "-n", "3", "--", "sh", "-c", "true; /bin/true; /bin/true")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    assert lab("run", "exec_rign").returncode == 2
    listed = lab("snippets", "exec_ring", "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in listed] == ["exec_ring.bcc", "exec_ring.libbpf"]


def test_help_names_every_verb() -> None:
    verbs = lab_verbs()
    assert len(verbs) >= 9
    text = lab("help").stdout
    assert [verb for verb in verbs if f"\n  {verb} " not in text] == []


def test_start_serves_jupyterlab_once_and_stop_ends_it() -> None:
    first = lab("start", "--no-browser").stderr
    running = "is running" in first
    assert running or re.search(
        r"^lab: notebooks run in (ebpf-lab|ebpf-lab-vm|ebpf-lab-replay): this machine's", first, re.MULTILINE
    )
    again = lab("start", "--no-browser")
    try:
        assert "is running" in again.stderr
        assert again.stderr.endswith("open this address in a browser; ./lab stop ends it\n")
        (address,) = again.stdout.splitlines()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/lab\?token=[0-9a-f]{20,}", address)
        with urllib.request.urlopen(address) as answer:
            assert "JupyterLab" in answer.read().decode()
        # Its log and its pages have the token.
        assert stat.S_IMODE(Path(sys.prefix, "var/lab").stat().st_mode) & 0o077 == 0
        base, token = address.split("lab?")
        with urllib.request.urlopen(f"{base}api/contents?{token}") as answer:
            served = {entry["name"] for entry in json.load(answer)["content"]}
        with urllib.request.urlopen(f"{base}api/kernelspecs?{token}") as answer:
            specifications = json.load(answer)["kernelspecs"]
        names = {name: entry["spec"]["display_name"] for name, entry in specifications.items()}
        assert (names["ebpf-lab"], names["ebpf-lab-vm"]) == ("eBPF Lab", "eBPF Lab (VM)")
        assert names["ebpf-lab-replay"] == "eBPF Lab (replay)"
        assert names["python3"].startswith("eBPF Lab")
        assert served == {path.name for path in (ROOT / "notebooks").glob("[!.]*")}
    finally:
        # One that was there before the test belongs to somebody.
        if not running:
            assert lab("stop").returncode == 0
    if not running:
        assert "not running" in lab("stop").stderr

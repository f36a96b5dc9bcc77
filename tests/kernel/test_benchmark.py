"""The benchmark runs, accounts for every event, and fails where its goal is missed."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/throughput.py"

pytestmark = pytest.mark.needs("bcc", "headers", "ringbuf", "perfbuf")


@pytest.mark.parametrize(("goal", "status"), [("0", 0), ("1e9", 1)])
def test_both_readers_get_every_event(goal, status):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--events", "2560", "--rounds", "1", "--goal", goal],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == status, done.stderr
    counts = [line.split()[3:6] for line in done.stdout.splitlines() if "times" not in line][1:]
    assert counts == [["2,816", "2,816", "0"]] * 4

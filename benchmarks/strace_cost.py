"""What tracing every system call costs the traced command: the lab's strace against ``strace -f``.

Each round runs ``find /usr/include`` and ``dd`` of single bytes alone, under the lab and under strace, one
after the other, and the medians are compared: machines differ, ratios of one run less so.  The lab's time is
that of the command from its first call to its last, as the kernel saw them; strace's includes strace's own
start, which is some milliseconds.

Run it by ``./lab exec python benchmarks/strace_cost.py``, where strace is installed.  The exit status is 1
when a call was lost.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import ebpf_lab
from ebpf_lab.errors import LabError
from ebpf_lab.source import snippets

COMMANDS = {
    "find": ["find", "/usr/include", "-name", "*.h"],
    "dd": ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=20011"],
}


def alone(command: Sequence[str]) -> float:
    """Seconds of a command."""
    begin = time.perf_counter()
    subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    )
    return time.perf_counter() - begin


def under_strace(command: Sequence[str]) -> float:
    """Seconds of a command under strace."""
    return alone(["strace", "-f", "-o", "/dev/null", *command])


class Lab:
    """Runs commands under the lab's ``syscall_trace``."""

    def __init__(self) -> None:
        self._text = snippets.load("syscall_trace.libbpf").text
        self.calls = 0
        self.lost = 0

    def __call__(self, command: Sequence[str]) -> float:
        """Seconds of a command under the lab."""
        trace = ebpf_lab.trace(self._text, command=command, output=lambda chunk: None)
        self.calls = len(trace.frame)
        self.lost += sum(stream.dropped + stream.not_kept for stream in trace.stats.streams.values())
        return float((trace.frame["ts"].max() - trace.frame["ts"].min()).total_seconds())


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    lab = Lab()
    runs: dict[str, Callable[[Sequence[str]], float]] = {
        "alone": alone, "the lab": lab, "strace": under_strace,
    }  # fmt: skip
    try:
        for name, command in COMMANDS.items():
            times: dict[str, list[float]] = {way: [] for way in runs}
            for _ in range(rounds):
                for way, run in runs.items():
                    times[way].append(run(command))
            median = {way: statistics.median(values) for way, values in times.items()}
            print(f"{name}: {lab.calls:,} calls, {median['alone']:.3f} s alone")
            for way in ("the lab", "strace"):
                cost = (median[way] - median["alone"]) / lab.calls * 1e6
                print(
                    f"    {way:8} {median[way] / median['alone']:6.1f} times as long, {cost:6.2f} µs per call"
                )
    except LabError as error:
        print(error.block(), file=sys.stderr)
        return 1
    print(f"{lab.lost} calls lost")
    return 1 if lab.lost else 0


if __name__ == "__main__":
    sys.exit(main())

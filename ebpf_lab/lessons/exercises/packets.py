"""The exercises of lesson 13."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

from ebpf_lab.lessons.exercise import Exercise, Lesson, NotYet, Workload
from ebpf_lab.lessons.network import paired
from ebpf_lab.session import Trace

_DATAGRAMS = """
import os, socket, subprocess, sys
send = '''
import socket
socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in {ports!r}:
    socket.sendto(b"x", ("198.51.100.1", port))
'''
import select
servers = {{}}
for port in {different!r}:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("198.51.100.1", port))
    servers[server] = port
subprocess.run(["nsenter", "--net=" + os.environ["PEER"], sys.executable, "-c", send], check=True)
# What nothing drops has been through every program once it is here.
with open({file!r}, "w") as file:
    while ready := select.select(servers, [], [], 0.5)[0]:
        for server in ready:
            server.recv(9)
            print(servers[server], file=file)
"""


def _by_port(trace: Trace, expected: tuple[list[int], Path]) -> None:
    counts = trace.maps.get("counts")
    if counts is None or not {"key", "value"} <= set(counts.columns):
        hint = "keep the map that the program began with"
        raise NotYet("a map counts of numbers by port", "none", hint=hint)
    found = dict(zip(counts["key"].tolist(), counts["value"].tolist(), strict=True))
    for port, number in sorted(Counter(expected[0]).items()):
        if found.get(port) != number:
            came = str(found.get(port, "")) or f"no such port among {', '.join(map(str, found)) or 'none'}"
            raise NotYet(f"{number} packets to port {port}", came)


def _sockets(rng: random.Random, directory: Path) -> Workload:
    """Datagrams to sockets of odd and even ports; those that came are in a file at the end."""
    different = rng.sample(range(10_000, 30_000), rng.randrange(4, 9))
    ports = [port for port in different for _ in range(rng.randrange(1, 12))]
    rng.shuffle(ports)
    file = directory / "came"
    script = _DATAGRAMS.format(ports=ports, different=sorted(set(ports)), file=str(file))
    return Workload((sys.executable, "-c", script), (ports, file))


def _even_ones(trace: Trace, expected: tuple[list[int], Path]) -> None:
    ports, file = expected
    came = Counter(map(int, file.read_text().split()))
    wanted = Counter(port for port in ports if not port % 2)
    if came != wanted:
        odd = sum(number for port, number in came.items() if port % 2)
        raise NotYet(
            f"{wanted.total()} packets to arrive, none of them at an odd port",
            f"{came.total()}, of which {odd} arrived at an odd port",
        )


_NEEDS = ("xdp", "veth")

LESSON = Lesson(
    "13_packets",
    (
        Exercise(
            "ex1",
            "how many packets came to each port",
            hints=(
                "A datagram has two ports: where it is from, and where it goes.",
                "`%bpf help udphdr` shows what is in the header.",
                "One line changes: `u32 port = bpf_ntohs(headers->udp.dest);`",
            ),
            workload=_sockets,
            judge=_by_port,
            only=False,
            needs=_NEEDS,
            scene=paired,
        ),
        Exercise(
            "ex2",
            "packets to odd ports are dropped, all others pass",
            hints=(
                "The program's result decides: it says `XDP_PASS` for every packet.",
                "`port % 2` is 1 for an odd port, and `XDP_DROP` ends a packet's way.",
                "`return port % 2 ? XDP_DROP : XDP_PASS;` at the very end.",
            ),
            workload=_sockets,
            judge=_even_ones,
            only=False,
            needs=_NEEDS,
            scene=paired,
        ),
    ),
    needs=_NEEDS,
)

"""XDP programs on a pair of interfaces: packets, refusals, and nothing left on the interface."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from support.backends import each_backend
from support.bytecode import Counter, counter

import ebpf_lab
from ebpf_lab.attach import attach
from ebpf_lab.backends.loaded import close_all
from ebpf_lab.errors import AttachError, UsageProblem
from ebpf_lab.host import perf_events
from ebpf_lab.host.syscalls import ProgType
from ebpf_lab.host.targets import NetworkInterface, list_probes, resolve
from ebpf_lab.source.probe import Probe

pytestmark = pytest.mark.needs("xdp", "veth")

FRAMES = 23
ETHERTYPE = 0x88B5
"""Set aside for experiments (IEEE Std 802): nothing else sends it."""
XDP = 37

BODY = f"""
{{
    u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    u32 zero = 0;
    if (data + 14 > end || (data[12] << 8 | data[13]) != {ETHERTYPE})
        return XDP_PASS;
    u64 *count = FOUND;
    if (count)
        __sync_fetch_and_add(count, 1);
    return XDP_PASS;
}}
"""
LIBBPF = """
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
} frames SEC(".maps");
SEC("xdp")
int arrived(struct xdp_md *ctx)""" + BODY.replace("FOUND", "bpf_map_lookup_elem(&frames, &zero)")
BCC = """
BPF_ARRAY(frames, u64, 1);
int arrived(struct xdp_md *ctx)""" + BODY.replace("FOUND", "frames.lookup(&zero)")
TEXTS = {"libbpf": LIBBPF, "bcc": BCC}


@pytest.fixture
def pair() -> Iterator[tuple[str, str]]:
    """Two interfaces; what is sent at one arrives at the other."""
    one, other = (f"lab{os.getpid()}{end}" for end in "ab")
    commands = [
        f"ip link add {one} type veth peer name {other}",
        # Without IPv6 the kernel itself sends nothing.
        *(f"ip link set {name} addrgenmode none up" for name in (one, other)),
    ]
    for command in commands:
        subprocess.run(command.split(), check=True)
    yield one, other
    subprocess.run(["ip", "link", "delete", one], check=True)


@pytest.fixture
def count() -> Iterator[Counter]:
    with counter() as made:
        yield made


def send(interface: str, frames: int = FRAMES) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        for _ in range(frames):
            sender.send(b"\xff" * 6 + b"\x02" + b"\0" * 5 + ETHERTYPE.to_bytes(2) + b"\0" * 46)


def mode(interface: str) -> str:
    """How the kernel says that an XDP program is attached: "xdp" by the driver, "xdpgeneric", or ""."""
    told = subprocess.run(
        ["ip", "link", "show", interface], capture_output=True, text=True, check=True
    ).stdout
    return next((word for word in told.split() if word.startswith("xdp")), "")


@each_backend
def test_each_packet_is_seen(backend: str, pair: tuple[str, str]) -> None:
    with ebpf_lab.trace(TEXTS[backend], attach={"arrived": f"xdp:{pair[0]}"}) as trace:
        assert mode(pair[0]) == "xdp"
        send(pair[1])
        send(pair[0])  # the program sees what arrives, not what is sent
        deadline = time.monotonic() + 30
        while trace.maps["frames"]["value"][0] < FRAMES and time.monotonic() < deadline:
            pass  # packets are handed on by a softirq, which may run a little later
    assert trace.maps["frames"]["value"].tolist() == [FRAMES]
    assert trace.header.endswith(f"xdp:{pair[0]}")
    assert mode(pair[0]) == ""


def test_what_the_driver_refuses_the_kernel_does(pair: tuple[str, str], count: Counter) -> None:
    # A frame that a driver may hand to XDP lies within a page, unless the program says that it takes parts.
    for name in pair:
        subprocess.run(["ip", "link", "set", name, "mtu", "9000"], check=True)
    fds = attach(count.program(ProgType.XDP, attach_type=XDP), resolve(Probe.parse(f"xdp:{pair[0]}")))
    assert mode(pair[0]) == "xdpgeneric"
    close_all(fds)
    assert mode(pair[0]) == ""


def test_an_interface_takes_one_program(pair: tuple[str, str], count: Counter) -> None:
    target = resolve(Probe.parse(f"xdp:{pair[0]}"))
    first, second = (count.program(ProgType.XDP, attach_type=XDP, probe=f"xdp:{pair[0]}") for _ in range(2))
    fds = attach(first, target)
    with pytest.raises(AttachError) as caught:
        attach(second, target)
    close_all(fds)
    assert caught.value.what == f"cannot attach count to xdp:{pair[0]} (EBUSY)"
    assert "has an XDP program already" in caught.value.why
    assert f"ip link set dev {pair[0]} xdp off" in caught.value.hint


def test_an_interface_that_has_gone(count: Counter) -> None:
    with pytest.raises(AttachError, match="gone since"):
        attach(count.program(ProgType.XDP, attach_type=XDP), NetworkInterface("lab", 2**30))


def test_a_misspelt_interface_gets_the_nearest(pair: tuple[str, str]) -> None:
    with pytest.raises(AttachError) as caught:
        resolve(Probe.parse(f"xdp:{pair[0][:-1]}"))
    assert caught.value.what == f"there is no network interface {pair[0][:-1]}"
    assert caught.value.hint in {f"did you mean {name}?" for name in pair}
    with pytest.raises(AttachError, match=r"there are .*lo"):
        resolve(Probe.parse("xdp:__________"))


def test_interfaces_are_listed(pair: tuple[str, str]) -> None:
    assert list_probes(f"xdp:{pair[0][:-1]}*") == [("xdp", name) for name in sorted(pair)]


def test_a_process_that_may_trace_but_not_touch_the_network() -> None:
    script = "from ebpf_lab.host import features; features.require('xdp')"
    capabilities = "+bpf,+perfmon,+dac_read_search"
    limited = ["setpriv", "--reuid", "65534", "--inh-caps", capabilities, "--ambient-caps", capabilities]
    done = subprocess.run([*limited, sys.executable, "-c", script], capture_output=True, text=True)
    assert "MissingPrivilege: may not use XDP" in done.stderr
    assert "lacks CAP_NET_ADMIN" in done.stderr


def test_a_section_does_not_name_the_interface() -> None:
    with pytest.raises(UsageProblem) as caught:
        ebpf_lab.trace(LIBBPF)
    assert caught.value.hint == "--attach arrived=xdp:INTERFACE"


def test_the_link_goes_with_its_descriptor(pair: tuple[str, str], count: Counter) -> None:
    fd = perf_events.xdp(count.program(ProgType.XDP, attach_type=XDP).fd, socket.if_nametoindex(pair[0]))
    assert mode(pair[0]) == "xdp"
    os.close(fd)
    assert mode(pair[0]) == ""

"""Call chains as frames and as text."""

import struct

import numpy as np
import pandas as pd
import pytest

from ebpf_lab.frame.build import build
from ebpf_lab.frame.clock import TraceClock
from ebpf_lab.frame.hexint import HexArray
from ebpf_lab.frame.stacks import StackNames, fold_stacks, stack_frame
from ebpf_lab.readers.batch import Batch
from ebpf_lab.source.ctype import Int, Member, Struct

KERNEL = 0xFFFF_8880_0000_0000
STACKS = {
    3: np.array([KERNEL + 2, KERNEL + 1], np.uint64),
    1: np.array([0x20, 0x10], np.uint64),
    2: np.array([], np.uint64),
}


def kernel(addresses):
    return [f"k{int(address) - KERNEL}" for address in addresses]


def user(pid, addresses):
    return [f"p{pid}:{int(address):x}" for address in addresses]


def test_frame():
    asked = []

    def symbolise(addresses):
        asked.append(addresses.tolist())
        return [f"{address:x}" for address in addresses.tolist()]

    frame = stack_frame(STACKS, symbolise)
    expected = pd.DataFrame(
        {
            "stack_id": [1, 1, 3, 3],
            "depth": [0, 1, 0, 1],
            "address": HexArray(np.array([0x20, 0x10, KERNEL + 2, KERNEL + 1], np.uint64)),
            "symbol": pd.Categorical(["20", "10", "ffff888000000002", "ffff888000000001"]),
        }
    )
    pd.testing.assert_frame_equal(frame, expected)
    assert asked == [[0x10, 0x20, KERNEL + 1, KERNEL + 2]]


def test_frame_without_stacks():
    frame = stack_frame({}, kernel)
    assert frame.columns.tolist() == ["stack_id", "depth", "address", "symbol"]
    assert len(frame) == 0


def test_folded():
    assert fold_stacks({3: STACKS[3]}, kernel) == {3: "k1;k2"}
    assert fold_stacks({3: STACKS[3]}, lambda found: ["a;b", "c"]) == {3: "c;a:b"}


def test_text():
    names = StackNames(STACKS, kernel, user)
    assert names.text(3, 7) == "k1;k2"
    assert names.text(1, 7) == "p7:10;p7:20"
    assert names.text(2) == ""
    assert names.text(99) == "[stack 99]"
    assert names.text(-14) == "[EFAULT]"
    assert names.text(-4095) == "[-4095]"


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(
    ("member", "added"),
    [
        ("stack_id", "stack"),
        ("kstack_id", "kstack"),
        ("kernel_stack_id", "kernel_stack"),
        ("ustack_id", "ustack"),
        ("user_stack_id", "user_stack"),
        ("stackid", "stack"),
    ],
)
def test_events(member, added, signed):
    stack_id = Int("int", 4, signed)
    ctype = Struct("event", 8, (Member("pid", Int("u32", 4, False), 0), Member(member, stack_id, 32)))
    records = [struct.pack("<Ii", *each) for each in ((7, 1), (8, 1), (7, 3), (8, 3), (7, -14))]
    data = np.frombuffer(b"".join(records), np.uint8).reshape(-1, 8)
    asked = []

    def counted(addresses):
        asked.append(len(addresses))
        return kernel(addresses)

    clock = TraceClock(10**12, 10**12, 10**18, 10**18)
    frame = build([ctype], [Batch(8, data, 0)], clock, stacks=StackNames(STACKS, counted, user)).frames[
        "event"
    ]
    assert frame.columns.tolist() == ["pid", member, added]
    assert frame[added].tolist() == ["p7:10;p7:20", "p8:10;p8:20", "k1;k2", "k1;k2", "[EFAULT]"]
    assert asked == [2]
    assert build([ctype], [Batch(8, data, 0)], clock).frames["event"].columns.tolist() == ["pid", member]

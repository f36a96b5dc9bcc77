"""Arguments out of the kernel's bytes, as a shell would have them."""

import shlex

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.frame.arguments import joined
from ebpf_lab.frame.build import build
from ebpf_lab.readers.batch import Batch
from ebpf_lab.source.ctype import Array, Int, Member, Struct

CHAR = Int("char", 1, True, char=True)
U32 = Int("u32", 4, False)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\0", "''"),
        (b"true\0", "true"),
        (b"echo\0two words\0", "echo 'two words'"),
        (b"echo\0\0", "echo ''"),
        (b"echo\0a;b\0$HOME\0", "echo 'a;b' '$HOME'"),
        (b"echo\0long", "echo long…"),
        (b"echo\0two wor", "echo 'two wor'…"),
        (b"lon", "lon…"),
        (b"echo\0\xff\0", r"echo '\xff'"),
    ],
)
def test_joined(data: bytes, text: str) -> None:
    assert joined(data) == text


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"))))
def test_a_shell_reads_the_same(arguments: list[str]) -> None:
    assert shlex.split(joined(b"".join(each.encode() + b"\0" for each in arguments))) == arguments


def frame(size_name: str, name: str = "args"):
    members = (Member(size_name, U32, 0), Member(name, Array(CHAR, 40), 32))
    # What lies behind the bytes in use is from an earlier event.
    events = [(10, b"a b\0c\0d e\0left over\0"), (3, b"cut off\0"), (0, b"none\0")]
    data = b"".join(size.to_bytes(4, "little") + text.ljust(40, b"\0") for size, text in events)
    batch = Batch(44, np.frombuffer(data, np.uint8).reshape(3, 44), 0)
    return build([Struct("event", 44, members)], [batch], None).frames["event"]


def test_only_the_bytes_in_use_count() -> None:
    assert frame("args_size")["args"].tolist() == ["'a b' c 'd e'", "cut…", ""]
    assert frame("args_size")["args_size"].tolist() == [10, 3, 0]


def test_other_text_is_text() -> None:
    assert frame("length")["args"].tolist() == ["a b", "cut off", "none"]
    assert frame("name_size", "name")["name"].tolist() == ["a b", "cut off", "none"]

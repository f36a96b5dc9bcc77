"""The committed tables of names against the headers of this machine."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import make_tables

INCLUDE = Path("/usr/include")
COMMITTED = json.loads(make_tables.TABLES.read_text())
PRESENT = [arch for arch in make_tables.TRIPLETS if make_tables.has_headers(INCLUDE, arch)]

pytestmark = pytest.mark.needs("clang")


def agrees(made: dict[int, str], committed: dict[str, str]) -> None:
    """The one of the newer kernel has all that the other has."""
    theirs = {int(number): name for number, name in committed.items()}
    assert len(made) > 10
    older, newer = sorted((made, theirs), key=len)
    assert older == {number: newer.get(number) for number in older}


def test_system_calls():
    assert PRESENT, "clang is here, but the headers that it comes with are not"
    # Those of arm64 can be had from any headers.
    for arch in {*PRESENT, "aarch64"}:
        agrees(make_tables.system_calls(INCLUDE, arch), COMMITTED["syscall"][arch])


def test_open_flags():
    for arch in PRESENT:
        agrees(make_tables.open_flags(INCLUDE, arch), COMMITTED["open_flags"][arch])


def test_errors_and_signals():
    for arch in PRESENT:
        agrees(make_tables.errors(INCLUDE, arch), COMMITTED["errno"])
        agrees(make_tables.signals(INCLUDE, arch), COMMITTED["signal"])
    agrees(make_tables.error_words(map(int, COMMITTED["errno"])), COMMITTED["errno_words"])


def test_numbers():
    defined = {
        "A": "0x10",
        "B": "010",
        "C": "10",
        "D": "0",
        "E": "A",
        "F": "(1 << 4)",
        "G": "__x(3)",
        "H": "16UL",
    }
    assert [make_tables.number(defined, name) for name in defined] == [16, 8, 10, 0, 16, 16, None, 16]

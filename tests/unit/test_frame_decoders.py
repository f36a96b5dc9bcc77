"""Names for numbers, and which members get them."""

import numpy as np
import pytest

from ebpf_lab.frame import decoders
from ebpf_lab.frame.decoders import (
    Decoder,
    address_naming,
    decoders_for,
    errno_naming,
    mode_naming,
    open_flags_naming,
    signal_naming,
    syscall_naming,
    user_naming,
)
from ebpf_lab.frame.layout import Column, Kind
from ebpf_lab.source.ctype import Array, Enum, Float, Int

S32 = Int("int", 4, True)
CHAR = Int("char", 1, True, char=True)


def numbers(*names: str) -> list[Column]:
    return [Column(name, Kind.NUMBER, S32, 0, 4, "<i4") for name in names]


def text(name: str) -> Column:
    return Column(name, Kind.TEXT, Array(CHAR, 64), 0, 64)


@pytest.mark.parametrize(
    ("member", "added"),
    [
        ("open_flags", "open_flags_names"),
        ("oflags", "oflags_names"),
        ("how.open_flags", "how.open_flags_names"),
        ("ret", "ret_errno"),
        ("retval", "retval_errno"),
        ("sys_ret", "sys_ret_errno"),
        ("err", "err_name"),
        ("errno", "errno_name"),
        ("sig", "sig_name"),
        ("signal", "signal_name"),
        ("exit_signal", "exit_signal_name"),
        ("nr", "nr_name"),
        ("syscall", "syscall_name"),
        ("syscall_nr", "syscall_nr_name"),
        ("syscall_id", "syscall_id_name"),
        ("uid", "uid_name"),
        ("old_uid", "old_uid_name"),
        ("cred.euid", "cred.euid_name"),
        ("loginuid", "loginuid_name"),
        ("mode", "mode_octal"),
    ],
)
def test_known_members(member, added):
    assert [decoder.column for decoder in decoders_for(numbers(member), "x86_64").values()] == [added]


@pytest.mark.parametrize(
    "member",
    ["id", "pid", "flags", "retries", "cpu_nr", "nr_pages", "guid", "terror", "sigma", "model", "node"],
)
def test_other_members(member):
    assert decoders_for(numbers(member), "x86_64") == {}


def test_flags_are_those_of_open_beside_a_file_name():
    assert list(decoders_for([*numbers("flags"), text("comm"), text("fname")], "x86_64")) == ["flags"]
    assert decoders_for([*numbers("flags"), text("comm"), text("parent_comm")], "x86_64") == {}


def test_only_integers_are_named():
    for kind, ctype in (
        (Kind.NUMBER, Float("double", 8)),
        (Kind.ENUM, Enum("sig", 4, False, ())),
        (Kind.TEXT, S32),
    ):
        assert decoders_for([Column("sig", kind, ctype, 0, 4)], "x86_64") == {}


def test_a_member_of_that_name_is_not_replaced():
    assert decoders_for([*numbers("uid"), text("uid_name")], "x86_64") == {}


def test_an_unknown_architecture_names_what_is_the_same_everywhere():
    found = decoders_for(numbers("nr", "open_flags", "uid", "ret"), "riscv64")
    assert list(found) == ["uid", "ret"]


def test_each_distinct_value_is_named_once(monkeypatch):
    monkeypatch.setattr(decoders, "_BLOCK", 4)
    asked = []

    def name(value):
        asked.append(value)
        return None if value == 0 else f"v{value}"

    found = Decoder("x", name).apply(np.array([3, 0, 3, 1, 3, 1, 2**64 - 1], np.uint64))
    assert found.tolist() == ["v3", np.nan, "v3", "v1", "v3", "v1", "v18446744073709551615"]
    assert asked == [3, 0, 1, 2**64 - 1]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "O_RDONLY"),
        (1, "O_WRONLY"),
        (2, "O_RDWR"),
        (3, "O_ACCMODE"),
        (0o2000000, "O_RDONLY|O_CLOEXEC"),
        (0o1101, "O_WRONLY|O_CREAT|O_TRUNC"),
        (0o10000, "O_RDONLY|O_DSYNC"),
        (0o4010000, "O_RDONLY|O_SYNC"),
        (0o4000000, "O_RDONLY|__O_SYNC"),
        (0o20000002, "O_RDWR|__O_TMPFILE"),
        (0o10000000, "O_RDONLY|O_PATH"),
        (0x20 | 0o2000, "O_RDONLY|O_APPEND|0x20"),
        (-(2**31), "O_RDONLY|0x80000000"),
        (1 << 40, "O_RDONLY|0x10000000000"),
    ],
)
@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_open_flags(arch, value, shown):
    assert open_flags_naming(arch)(value) == shown


@pytest.mark.parametrize(
    ("value", "x86_64", "aarch64"),
    [
        (0o40000, "O_DIRECT", "O_DIRECTORY"),
        (0o100000, "O_LARGEFILE", "O_NOFOLLOW"),
        (0o200000, "O_DIRECTORY", "O_DIRECT"),
        (0o400000, "O_NOFOLLOW", "O_LARGEFILE"),
        (0o20200000, "O_TMPFILE", "O_DIRECT|__O_TMPFILE"),
        (0o20040000, "O_DIRECT|__O_TMPFILE", "O_TMPFILE"),
    ],
)
def test_open_flags_differ_by_architecture(value, x86_64, aarch64):
    assert open_flags_naming("x86_64")(value) == f"O_RDONLY|{x86_64}"
    assert open_flags_naming("aarch64")(value) == f"O_RDONLY|{aarch64}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-2, "ENOENT"),
        (2**32 - 2, "ENOENT"),
        (2**64 - 2, "ENOENT"),
        (-11, "EAGAIN"),
        (-35, "EDEADLK"),
        (-512, "ERESTARTSYS"),
        (-517, "EPROBE_DEFER"),
        (0, None),
        (-4000, None),
        (-4096, None),
        (-(2**63), None),
    ],
)
def test_errors(value, shown):
    assert errno_naming(positive=False)(value) == shown
    assert errno_naming(positive=True)(value) == shown


def test_positive_errors():
    assert errno_naming(positive=False)(2) is None
    assert errno_naming(positive=True)(2) == "ENOENT"
    assert errno_naming(positive=True)(9999) is None


def test_signals():
    name = signal_naming()
    shown = {1: "SIGHUP", 6: "SIGABRT", 9: "SIGKILL", 17: "SIGCHLD", 19: "SIGSTOP", 29: "SIGIO", 31: "SIGSYS"}
    shown |= {34: "SIGRTMIN", 63: "SIGRTMIN+29", 64: "SIGRTMAX"}
    assert {number: name(number) for number in shown} == shown
    assert name(35) == "SIGRTMIN+1"
    assert [name(value) for value in (0, 32, 65, -1)] == [None, "32", "65", "-1"]


def test_system_calls():
    assert [syscall_naming("x86_64")(value) for value in (0, 257, 56, 435)] == [
        "read",
        "openat",
        "clone",
        "clone3",
    ]
    assert [syscall_naming("aarch64")(value) for value in (0, 56, 220, 435)] == [
        "io_setup",
        "openat",
        "clone",
        "clone3",
    ]
    assert [syscall_naming("x86_64")(value) for value in (-1, 2**32 - 1, 2**64 - 1)] == [None] * 3
    assert syscall_naming("x86_64")(9999) == "9999"


def test_users():
    name = user_naming()
    assert name(0) == "root"
    assert name(12345678) == "12345678"
    assert name(5 << 32) == "root"
    assert name(2**32 - 1) is None
    assert name(-1) is None


def test_users_where_there_is_no_list_of_them(monkeypatch):
    monkeypatch.setattr(decoders, "pwd", None)
    assert user_naming()(0) == "0"


@pytest.mark.parametrize(
    ("member", "size", "added"),
    [
        ("saddr", 16, "saddr_ip"),
        ("peer_addr", 4, "peer_addr_ip"),
        ("tuple.daddr_v6", 16, "tuple.daddr_v6_ip"),
        ("saddr", 8, None),
        ("cgroup", 16, None),
    ],
)
def test_addresses_are_found_by_name_and_size(member, size, added):
    column = Column(member, Kind.BYTES, Array(Int("u8", 1, False), size), 0, size)
    found = decoders_for([column], "x86_64")
    assert (found[member].column if found else None) == added


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (bytes([192, 0, 2, 23]), "192.0.2.23"),
        (bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 23]), "192.0.2.23"),
        (bytes(15) + b"\1", "::1"),
        (bytes.fromhex("20010db8") + bytes(10) + b"\0\x17", "2001:db8::17"),
    ],
)
def test_addresses(value, shown):
    values = np.empty(2, object)
    values[:] = [value, value]
    assert Decoder("saddr_ip", address_naming).apply(values).tolist() == [shown, shown]


def test_modes():
    assert [mode_naming()(value) for value in (0o644, 0o100755, 0, -1)] == [
        "0644",
        "0100755",
        "0",
        "037777777777",
    ]


@pytest.mark.parametrize("machine", ["x86_64", "AMD64", "aarch64", "arm64"])
def test_machines_have_tables(monkeypatch, machine):
    monkeypatch.setattr(decoders.platform, "machine", lambda: machine)
    assert syscall_naming(decoders.machine())(435) == "clone3"

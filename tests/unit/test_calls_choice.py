"""Which system calls ``-e`` means."""

import pytest

from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.calls.choice import chosen
from ebpf_lab.frame.decoders import syscall_numbers

BOTH = pytest.mark.parametrize("arch", ["x86_64", "aarch64"])


@BOTH
def test_names_patterns_and_their_opposite(arch: str) -> None:
    assert chosen("close,openat", arch) == {"close", "openat"}
    assert chosen("trace=close", arch) == {"close"}
    assert chosen("pread*", arch) == {"pread64", "preadv", "preadv2"}
    assert chosen("!close,openat", arch) == syscall_numbers(arch).keys() - {"close", "openat"}


@BOTH
def test_sets_hold_what_takes_such_arguments(arch: str) -> None:
    assert {"openat", "execve", "renameat2", "mount"} <= chosen("%file", arch)
    assert {"read", "openat", "mmap", "ppoll"} & chosen("%desc", arch) == {"read", "openat", "mmap"}
    assert {"connect", "sendmsg", "socket", "read"} & chosen("%network", arch) == {
        "connect",
        "sendmsg",
        "socket",
    }
    assert {"clone3", "exit_group", "wait4"} <= chosen("%process", arch)


def test_calls_of_another_architecture_are_refused() -> None:
    assert chosen("open", "x86_64") == {"open"}
    with pytest.raises(UsageProblem, match="open is no system call of aarch64"):
        chosen("open", "aarch64")


@pytest.mark.parametrize("words", ["", "close,", "opn", "%files", "!"])
def test_what_means_no_call_is_refused(words: str) -> None:
    with pytest.raises(UsageProblem):
        chosen(words, "x86_64")

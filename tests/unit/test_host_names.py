"""Kernel symbols, system call names, near names and the numbers of BTF types."""

import random
import struct
import time

import numpy as np
import pytest

from ebpf_lab.host import btf_ids, kallsyms, system_calls, tracefs
from ebpf_lab.host.kallsyms import Names
from ebpf_lab.host.symbols import KernelSymbols
from ebpf_lab.nearest import nearest, suggestion

KALLSYMS = b"""\
ffffffff81000000 T _text
ffffffff81000100 t __pfx_vfs_read
ffffffff81000110 T vfs_read
ffffffff81000200 t do_open.cold
ffffffff81000300 t show
ffffffff81000400 t show
ffffffff81000500 T __traceiter_sched_switch
ffffffff81000600 W __x64_sys_clone
ffffffff81000600 t __do_sys_clone
ffffffff82000000 D jiffies
ffffffffc0000000 t ext4_read\t[ext4]
"""


class TestNames:
    names = Names(KALLSYMS)

    @pytest.mark.parametrize(
        ("name", "count"),
        [("vfs_read", 1), ("show", 2), ("ext4_read", 1), ("vfs_rea", 0), ("jiffies", 0), ("sho.", 0)],
    )
    def test_functions_are_counted_by_their_whole_name(self, name: str, count: int) -> None:
        assert self.names.count(name) == count

    def test_variables_are_told_from_functions(self) -> None:
        assert self.names.is_data("jiffies")
        assert not self.names.is_data("vfs_read")

    def test_plumbing_is_not_listed(self) -> None:
        assert self.names.functions() == [
            *(b"_text", b"vfs_read", b"show", b"show"),
            *(b"__x64_sys_clone", b"__do_sys_clone", b"ext4_read"),
        ]

    def test_raw_tracepoints_are_the_functions_that_call_them(self) -> None:
        assert self.names.raw_tracepoints == [b"sched_switch"]

    def test_a_function_ends_where_the_next_symbol_begins(self) -> None:
        assert self.names.size("vfs_read") == 0xF0
        assert self.names.size("__do_sys_clone") == 0x1000000 - 0x600
        assert self.names.size("ext4_read") == self.names.size("absent") == 0
        assert Names(b"0000000000000000 T hidden\n0000000000000000 T other\n").size("hidden") == 0

    def test_no_list_is_false(self) -> None:
        assert not Names(b"")
        assert Names(KALLSYMS)


class TestKernelSymbols:
    symbols = KernelSymbols(KALLSYMS)

    def test_addresses_get_names_and_distances(self) -> None:
        addresses = np.array(
            [0xFFFFFFFF81000110, 0xFFFFFFFF8100012F, 0xFFFFFFFFC0000004, 0xFFFFFFFF81000110], np.uint64
        )
        assert self.symbols.lookup(addresses) == [
            "vfs_read",
            "vfs_read+0x1f",
            "ext4_read+0x4 [ext4]",
            "vfs_read",
        ]

    @pytest.mark.parametrize("address", [0, 0x1000, 0xFFFFFFFFC0200000, 2**64 - 1])
    def test_what_is_in_no_function_is_hex(self, address: int) -> None:
        assert self.symbols.lookup(np.array([address], np.uint64)) == [f"{address:#x}"]

    def test_of_two_names_the_one_with_fewer_underscores_wins(self) -> None:
        text = b"0000000000001000 T __alias\n0000000000001000 T plain\n0000000000001000 t local\n"
        assert KernelSymbols(text).lookup(np.array([0x1000], np.uint64)) == ["plain"]

    def test_no_addresses_no_names(self) -> None:
        assert self.symbols.lookup(np.empty(0, np.uint64)) == []

    def test_hidden_addresses_are_explained(self) -> None:
        hidden = KernelSymbols(b"0000000000000000 T vfs_read\n")
        assert "kptr_restrict" in hidden.why
        assert hidden.lookup(np.array([0x10], np.uint64)) == ["0x10"]
        assert "lists no symbols" in KernelSymbols(b"").why
        assert self.symbols.why == ""


class TestSystemCalls:
    @pytest.mark.parametrize(
        ("function", "call"),
        [
            ("sys_clone", "clone"),
            ("__x64_sys_clone", "clone"),
            ("__arm64_sys_clone3", "clone3"),
            ("__ia32_sys_openat", "openat"),
            ("__se_sys_read", "read"),
            ("SyS_open", "open"),
            ("ksys_read", ""),
            ("vfs_read", ""),
            ("sys_", ""),
        ],
    )
    def test_a_function_means_a_call(self, function: str, call: str) -> None:
        assert system_calls.plain_name(function) == call

    @pytest.mark.parametrize(
        ("machine", "first"),
        [("x86_64", "__x64_sys_clone"), ("aarch64", "__arm64_sys_clone"), ("riscv64", "__se_sys_clone")],
    )
    def test_the_wrapper_is_the_architectures(self, machine: str, first: str) -> None:
        assert system_calls.candidates("clone", machine)[0] == first

    @pytest.mark.parametrize(
        ("function", "at_return", "probe"),
        [
            ("__x64_sys_clone", False, "tracepoint:syscalls:sys_enter_clone"),
            ("sys_clone", True, "tracepoint:syscalls:sys_exit_clone"),
            ("do_sys_openat2", False, "tracepoint:syscalls:sys_enter_openat"),
            ("do_exit", True, "tracepoint:sched:sched_process_exit"),
            ("prepare_kernel_cred", False, ""),
        ],
    )
    def test_a_tracepoint_shows_what_a_kprobe_would(
        self, function: str, at_return: bool, probe: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tracefs, "exists", lambda group, name: True)
        assert system_calls.shown_by(function, at_return=at_return) == probe

    def test_only_tracepoints_of_this_kernel_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracefs, "exists", lambda group, name: False)
        assert system_calls.shown_by("sys_clone", at_return=False) == ""

    def test_the_function_is_the_one_the_kernel_has(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(system_calls.kernel, "architecture", lambda: "x86_64")
        monkeypatch.setattr(kallsyms, "names", lambda: Names(KALLSYMS))
        assert system_calls.function_of("clone") == "__x64_sys_clone"
        assert system_calls.function_of("clone9") == ""
        assert system_calls.names() == [b"clone"]
        monkeypatch.setattr(kallsyms, "names", lambda: Names(b""))
        assert system_calls.function_of("clone9") == "__x64_sys_clone9"


class TestNearest:
    def test_the_most_alike_comes_first(self) -> None:
        known = [b"vfs_read", b"vfs_readv", b"vfs_write", b"tcp_connect"]
        assert nearest("vfs_raed", known)[0] == "vfs_read"
        assert nearest("tcp_v4_connect", known) == ["tcp_connect"]
        assert nearest("zzzz", known) == []
        assert nearest("", known) == nearest("vfs", []) == []

    def test_a_name_is_not_near_itself(self) -> None:
        assert nearest("vfs_read", [b"vfs_read"]) == []

    def test_a_name_that_holds_the_word_is_near(self) -> None:
        assert nearest("copy", [b"page_copy_sane_and_much_longer", b"xyz"]) == [
            "page_copy_sane_and_much_longer"
        ]

    def test_the_hint_is_a_sentence(self) -> None:
        assert suggestion("aaab", [b"aaac"]) == "did you mean aaac?"
        assert suggestion("aaab", [b"aaac", b"aaad"]) == "did you mean aaac or aaad?"
        assert suggestion("zzz", [b"aaac"]) == ""

    def test_a_kernel_of_names_is_searched_without_a_wait(self) -> None:
        generator = random.Random(7)
        letters = "abcdefghijklmnopqrstuvwxyz_"
        many = [
            "".join(generator.choices(letters, k=generator.randint(5, 40))).encode() for _ in range(120_000)
        ]
        many[60_000] = b"do_sys_openat2"
        start = time.process_time()
        found = nearest("do_sys_opneat2", many)
        assert time.process_time() - start < 1.5
        assert found[0] == "do_sys_openat2"


class TestBtfIds:
    @staticmethod
    def made(*types: tuple[int, str, int, bytes]) -> bytes:
        """BTF of (kind, name, members, what follows the header)."""
        strings, body = b"\0", b""
        for kind, name, members, behind in types:
            at = len(strings) if name else 0
            strings += name.encode() + b"\0" if name else b""
            body += struct.pack("<III", at, kind << 24 | members, 0) + behind
        return (
            struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(body), len(body), len(strings)) + body + strings
        )

    def test_types_are_counted_over_all_kinds(self) -> None:
        data = self.made(
            (1, "int", 0, bytes(4)),
            (2, "", 0, b""),
            (3, "", 0, bytes(12)),
            (4, "point", 2, bytes(24)),
            (5, "either", 1, bytes(12)),
            (6, "colour", 3, bytes(24)),
            (8, "btf_trace_open", 0, b""),
            (13, "", 2, bytes(16)),
            (14, "count", 0, bytes(4)),
            (15, ".data", 2, bytes(24)),
            (17, "tag", 0, bytes(4)),
            (19, "wide", 2, bytes(24)),
            (12, "vfs_read", 1, b""),
            (12, "last", 0, b""),
        )
        wanted = [(8, "btf_trace_open"), (12, "vfs_read"), (12, "last"), (12, "absent")]
        assert btf_ids.ids(data, wanted) == {"btf_trace_open": 7, "vfs_read": 13, "last": 14}

    def test_a_name_of_another_kind_is_not_meant(self) -> None:
        assert btf_ids.ids(self.made((4, "vfs_read", 0, b"")), [(12, "vfs_read")]) == {}

    @pytest.mark.parametrize("data", [b"", b"\x9f\xeb", bytes(64)])
    def test_what_is_no_btf_is_refused(self, data: bytes) -> None:
        with pytest.raises(ValueError, match="BTF"):
            btf_ids.ids(data, [(12, "vfs_read")])

    def test_every_truncation_ends(self) -> None:
        data = self.made((4, "point", 2, bytes(24)), (12, "vfs_read", 1, b""))
        for length in range(24, len(data)):
            assert btf_ids.ids(data[:length], [(12, "vfs_read")]) in ({}, {"vfs_read": 2})

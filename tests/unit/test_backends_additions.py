"""What is compiled around a libbpf text."""

from __future__ import annotations

import pytest

from ebpf_lab.backends.additions import additions
from ebpf_lab.source.spec import Dialect, ProgramSpec, Stream


def spec(text: str, *types: str) -> ProgramSpec:
    names = tuple(name.split()[-1] for name in types)
    stream = Stream("events", "ringbuf", names, c_types=types)
    return ProgramSpec(text, Dialect.LIBBPF, "it has SEC()", (), (stream,), ())


LICENSE = 'char lab_license[] SEC("license") = "GPL";'


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("int x;", True),
        ('char LICENSE[] SEC("license") = "GPL";', False),
        ('char l[] SEC( "license" ) = "GPL";', False),
        ('char l[] __attribute__((section("license"), used)) = "GPL";', False),
        ('// char LICENSE[] SEC("license") = "GPL";', True),
        ('/* char LICENSE[]\n SEC("license") = "GPL"; */', True),
        ('char *url = "https://"; char LICENSE[] SEC("license") = "GPL";', False),
    ],
)
def test_a_licence_is_added_where_there_is_none(text: str, added: bool) -> None:
    assert (LICENSE in additions(spec(text)).lines) is added


@pytest.mark.parametrize(
    ("text", "kernel_types", "foreign"),
    [
        ("int x;", True, False),
        ('#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n', True, False),
        ("  #  include <bpf/bpf_tracing.h>", True, False),
        ("#include <linux/bpf.h>\n", False, True),
        ("#include <asm/ptrace.h>\n", False, True),
        ("#include <linux/errno.h>\n", True, True),
        ('#include "vmlinux.h"\n#include <linux/types.h>\n', True, True),
        ("// #include <linux/bpf.h>\n", True, False),
        ('#include "mine.h"\n', True, True),
        ("#include MACRO\n", True, True),
    ],
)
def test_which_headers_come_first(text: str, kernel_types: bool, foreign: bool) -> None:
    added = additions(spec(text))
    assert ("vmlinux.h" in added.headers) is added.kernel_types is kernel_types
    assert added.foreign is foreign
    assert "bpf/bpf_helpers.h" in added.headers


def test_usdt_helpers_come_where_they_are_used() -> None:
    assert additions(spec("int x;")).more == ()
    assert additions(spec("long n = bpf_usdt_arg_cnt(ctx);")).more == ("bpf/usdt.bpf.h",)
    assert additions(spec("// bpf_usdt_arg_cnt(ctx)")).more == ()


def test_lines_behind_the_text_do_not_move_its_lines() -> None:
    added = additions(spec("int x; \\", "struct event", "u64", "char[16]", "struct event"))
    lines = added.behind("int x; \\").splitlines()
    assert lines[:3] == ["int x; \\", "", '# 1 "lab"']
    assert added.types == ("struct event", "u64", "char[16]")
    assert "typeof(char[16]) *lab_type_2 " in lines[6]
    without = added.without({2}).behind("int x; \\").splitlines()
    assert without[4] == ""
    assert without[:4] + without[5:] == lines[:4] + lines[5:]


def test_only_a_type_can_come_from_event() -> None:
    assert additions(spec("int x;", "u64; int y", 'struct a\n#include "b"', "u8 *")).types == ("u8 *",)

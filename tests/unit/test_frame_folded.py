"""Call chains as flame graph tools read them."""

import pandas as pd
import pytest

from ebpf_lab.errors import UsageProblem
from ebpf_lab.frame.folded import folded


def frame(**columns):
    rows = len(next(iter(columns.values())))
    ids = {f"{name}_id": range(rows) for name in columns if name.endswith("stack")}
    return pd.DataFrame(columns | ids)


def test_the_users_chain_comes_before_the_kernels_and_the_command_before_both():
    rows = frame(
        kernel_stack=["do_syscall_64+0x71;vfs_read+0xbb", "[EFAULT]"],
        user_stack=["main+0x9 [busy];read+0xd [libc.so.6]", "main+0x9 [busy];spin+0x4 [busy]"],
        comm=["busy", "busy"],
        count=[13, 29],
    )
    assert folded(rows) == ["busy;main;read;do_syscall_64;vfs_read 13", "busy;main;spin 29"]


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        ("spin", "spin"),
        ("spin+0x4 [busy]", "spin"),
        ("nf_hook+0x1f [nf_tables]", "nf_hook"),
        ("operator()(int)+0x3 [x]", "operator()(int)"),
        ("[libc.so.6+0x2724a]", "[libc.so.6]"),
        ("0x7efff0878be1 [vdso]", "[vdso]"),
        ("0x1000", "[unknown]"),
        ("[stack 7]", "[stack 7]"),
    ],
)
def test_a_function_is_its_name(function, shown):
    assert folded(frame(stack=[function])) == [f"{shown} 1"]


def test_equal_chains_are_added_up():
    rows = frame(stack=["a;b+0x1", "a;b+0x2", "a"], hits=[2, 3, 0])
    assert folded(rows, weight="hits") == ["a;b 5"]
    assert folded(rows) == ["a 1", "a;b 2"]


def test_what_has_no_chain_is_its_command():
    assert folded(frame(stack=["", "[-4095]", None], comm=["x", "x;y", "x"])) == ["x 2", "x:y 1"]


def test_categories_and_no_rows():
    rows = frame(stack=["a"])
    rows["stack"] = rows["stack"].astype("category")
    assert folded(rows) == ["a 1"]
    assert folded(rows[:0]) == []


def test_a_frame_without_chains():
    with pytest.raises(UsageProblem, match="no call chain"):
        folded(pd.DataFrame({"stack": ["a"]}))

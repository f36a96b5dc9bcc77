"""Where an error about a probe points in the text."""

from __future__ import annotations

import pytest

from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.probe_place import place


@pytest.mark.parametrize(
    ("text", "line", "marked"),
    [
        (
            '\nSEC("tracepoint/syscalls/sys_enter_exceve")\nint\nseen(void *ctx) { return 0; }',
            2,
            "sys_enter_exceve",
        ),
        ('SEC("uprobe/libc:prinft")\nint seen(void *ctx) { return 0; }', 1, "prinft"),
        ('SEC("kprobe/a.isra.0") int seen(void *ctx) { return 0; }', 1, "a.isra.0"),
        ("TRACEPOINT_PROBE(syscalls, sys_enter_exceve) { return 0; }", 1, "sys_enter_exceve"),
        ("\n\nint kprobe__do_unlink(void *ctx) { return 0; }", 3, "do_unlink"),
    ],
)
def test_the_name_is_marked(text: str, line: int, marked: str) -> None:
    (program,) = analyse(text).programs
    (mark,) = place(program, text)
    assert mark.line == line
    assert mark.text == text.split("\n")[line - 1]
    assert mark.text[mark.column - 1 :][: mark.length] == marked


def test_what_an_option_names_is_not_in_the_text() -> None:
    text = 'SEC("kprobe")\nint seen(void *ctx) { return 0; } // do_unlink'
    (program,) = analyse(text, attach={"seen": "kprobe:do_unlink"}).programs
    assert place(program, text) == ()

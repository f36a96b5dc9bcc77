"""Tokens: comments, strings, directives and branches not taken are out of the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.source.lexer import Macro, macros_using, scan


def words(text: str, defined: tuple[str, ...] = ()) -> list[str]:
    return [token.text for token in scan(text, defined).tokens]


def test_comments_and_strings_hide_what_is_in_them() -> None:
    text = 'a /* SEC("x") " */ "b /* no */ \\" // no" // c "\n\'"\' d /* never closed'
    assert words(text) == ["a", '"b /* no */ \\" // no"', "'\"'", "d"]


def test_a_continued_line_comment_goes_on() -> None:
    assert words("a // b \\\n c\nd") == ["a", "d"]


def test_unclosed_string_ends_with_its_line() -> None:
    assert words('f("abc\nd') == ["f", "(", '"abc', "d"]


def test_offsets_and_lines_count_bytes_of_utf8() -> None:
    found = scan("// ü\n\nint ü = 1;")
    assert [(token.start, found.line(token.start)) for token in found.tokens[:2]] == [(7, 3), (11, 3)]
    assert found.line(0) == 1


def test_macros_and_includes() -> None:
    found = scan(
        '#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n# define SIZE 16 // bytes\n'
        "#define SEND(e, ...) \\\n    out(e, /* here */ __VA_ARGS__)\n#define EMPTY\n"
    )
    assert found.tokens == []
    assert found.includes == ["vmlinux.h", "bpf/bpf_helpers.h"]
    assert found.macros["SIZE"] == Macro(None, "16")
    assert found.macros["EMPTY"] == Macro(None, "")
    assert found.macros["SEND"].params == ("e", "...")
    assert found.macros["SEND"].body.split() == ["out(e,", "__VA_ARGS__)"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("#if 0\na\n#else\nb\n#endif\nc", "b c"),
        ("#if 1\na\n#elif X\nb\n#else\nc\n#endif", "a"),
        ("#if 0\n#if 1\na\n#endif\n#elif 1\nb\n#endif", "b"),
        ("#ifdef DEBUG\na\n#endif\nb", "b"),
        ("#define DEBUG\n#ifdef DEBUG\na\n#endif\nb", "a b"),
        ("#ifndef DEBUG\na\n#endif\nb", "a b"),
        ("#if defined(DEBUG)\na\n#else\nb\n#endif", "b"),
        ("#if !defined DEBUG\na\n#else\nb\n#endif", "a"),
        ("#define LEVEL 0x0\n#if LEVEL\na\n#else\nb\n#endif", "b"),
        ("#ifdef __TARGET_ARCH_x86\na\n#else\nb\n#endif", "a"),
        ("#ifdef CONFIG_X\na\n#endif", "a"),
        ("#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 8, 0)\na\n#else\nb\n#endif", "a"),
        ("#if 0\n#define A 1\n#endif\n#ifdef A\na\n#endif\nb", "b"),
        ("#endif\n#else\na", "a"),
        ("#if 0\na", ""),
    ],
)
def test_branches(text: str, kept: str) -> None:
    assert " ".join(words(text)) == kept


def test_names_given_to_the_compiler_are_defined() -> None:
    assert words("#ifdef DEBUG\na\n#endif", ("DEBUG",)) == ["a"]


def test_a_directive_stands_at_the_beginning_of_its_line() -> None:
    assert words("a #if 0\nb") == ["a", "#", "if", "0", "b"]
    assert words("/* here */ #if 0\nb") == []


def test_arguments_of_calls() -> None:
    found = scan('BPF_TABLE("hash", struct { int a, b; }, f(1, 2), name , 10) x(')
    ((first, last),) = found.calls({"BPF_TABLE"})
    assert found.arguments(first, last) == ['"hash"', "struct { int a, b; }", "f(1, 2)", "name", "10"]
    ((first, last),) = found.calls({"x"})
    assert found.arguments(first, last) == [""]


def test_macros_using() -> None:
    found = scan("#define A(x) B(x)\n#define B(x) send(x)\n#define C C A_ sender\n#define D D A(1)")
    assert macros_using(found.macros, {"send"}) == {"A", "B", "D"}


@given(st.text(alphabet=st.sampled_from("#if0 endl\"'/*\\\n(){}SEC,ab1;ü\0")) | st.text())
def test_any_text_can_be_scanned(text: str) -> None:
    found = scan(text)
    for token in found.tokens:
        assert found.source[token.start : token.end] == token.text
    assert [token.start for token in found.tokens] == sorted(token.start for token in found.tokens)

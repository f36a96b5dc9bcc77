"""The options of a cell: read, and refused with the word at fault marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.errors import UsageProblem
from ebpf_lab.source.options import DEFAULT_SECONDS, OPTIONS, CellOptions, parse_cell, usage
from ebpf_lab.source.size import parse_size
from ebpf_lab.source.spec import Dialect


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", CellOptions(seconds=DEFAULT_SECONDS)),
        ("  \t", CellOptions(seconds=5.0)),
        ("-o opens", CellOptions(output="opens", seconds=5.0)),
        ("-t 2.5", CellOptions(seconds=2.5)),
        ("-t5", CellOptions(seconds=5.0)),
        ("-n 100", CellOptions(events=100)),
        ("-t 3 -n 100", CellOptions(seconds=3.0, events=100)),
        ("--bg -o x", CellOptions(background=True, output="x")),
        ("-- cat /etc/hostname", CellOptions(command=("cat", "/etc/hostname"))),
        (
            "--only -- sh -c 'cat  $x; -t 5' -- --bg",
            CellOptions(only=True, command=("sh", "-c", "cat  $x; -t 5", "--", "--bg")),
        ),
        ('-t 1 -- printf "a\\"b" "" c\\ d', CellOptions(seconds=1.0, command=("printf", 'a"b', "", "c d"))),
        ("--record a.zip", CellOptions(record="a.zip", seconds=5.0)),
        ("--replay=b.zip --pace 2", CellOptions(replay="b.zip", pace=2.0, seconds=5.0)),
        ("--backend libbpf", CellOptions(backend=Dialect.LIBBPF, seconds=5.0)),
        ("--keep 1GiB", CellOptions(keep=1 << 30, seconds=5.0)),
        (
            "--attach f=u:libc:printf --attach=g=kprobe:sys_clone",
            CellOptions(attach={"f": "uprobe:libc:printf", "g": "kprobe:sys_clone"}, seconds=5.0),
        ),
        (
            "--set A=1 --set B='x = y' --set C=-5 --set D=",
            CellOptions(settings={"A": "1", "B": "x = y", "C": "-5", "D": ""}, seconds=5.0),
        ),
        (
            "--event rb='struct event' --event b=char[16]",
            CellOptions(stream_types={"rb": "struct event", "b": "char[16]"}, seconds=5.0),
        ),
    ],
)
def test_lines_that_are_right(line: str, options: CellOptions) -> None:
    assert parse_cell(line) == options


@pytest.mark.parametrize(
    ("line", "marked", "words"),
    [
        ("-t -5", "-5", "cannot last -5 seconds"),
        ("-t 0", "0", "cannot last 0 seconds"),
        ("-t nan", "nan", "cannot last nan"),
        ("-t 1e300", "1e300", "at most a year"),
        ("-t five", "five", "no number of seconds"),
        ("-n 0", "0", "at least 1"),
        ("-n -3", "-3", "cannot end after -3 events"),
        ("-n 1.5", "1.5", "no number of events"),
        ("-o 1a", "1a", "no name for a variable"),
        ("-o for", "for", "no name for a variable"),
        ("-t", "-t", "-t needs SECONDS behind it"),
        ("-n 5 -t --bg", "-t", "-t needs SECONDS behind it"),
        ("-t -- cat", "-t", "-t needs SECONDS behind it"),
        ("-t--", "-t--", "-t takes SECONDS, not '--'"),
        ("--keep=-- -t 1", "--keep=--", "--keep takes SIZE, not '--'"),
        ("--bg=yes", "--bg=yes", "--bg takes no value"),
        ("--atach f=k:x", "--atach", "did you mean --attach?"),
        ("-bg", "-bg", "did you mean --bg?"),
        ("-only", "-only", "did you mean --only?"),
        ("--zzz", "--zzz", "the options are -o, -t"),
        ("--recrod f", "--recrod", "there is no option --recrod"),
        ("cat /etc/hostname", "cat", "a command stands behind --"),
        ("-t 5 --", "--", "no command stands behind --"),
        ("--attach f", "f", "--attach takes FN=PROBE"),
        ("--attach f=", "f=", "a probe must be named"),
        ("--attach f=kprob:x", "kprob", "did you mean kprobe?"),
        ("--attach=f=kprob:x", "kprob", "did you mean kprobe?"),
        ("--attach 'f=kprob:x'", "'f=kprob:x'", "did you mean kprobe?"),
        ("--attach f=k:a --attach f=k:b", "f=k:b", "f is given twice"),
        ("--set 1=2", "1=2", "--set takes NAME=VALUE"),
        ("--set A=1 --set A=2", "A=2", "A is given twice"),
        ("--event rb=", "rb=", "no type is given for rb"),
        ("--backend bc", "bc", "did you mean bcc?"),
        ("--backend gcc", "gcc", "there is no backend gcc"),
        ("--keep much", "much", "no size"),
        ("--keep 0", "0", "less than one byte"),
        ("--replay ''", "''", "no file is given"),
        ("--record a --replay b", "--replay", "recorded or replayed, not both"),
        ("--pace 0", "0", "is no pace"),
        ("--pace fast", "fast", "is no pace"),
        ("--only", "--only", "--only needs a command"),
        ("-o x --bg -t 5", "--bg", "-t says when to stop"),
        ("-n 5 --bg", "--bg", "-n says when to stop"),
        ("-o 'a", "'", "never closed"),
        ('-- echo "it', '"', "never closed"),
        ("-- echo a\\", "\\", "nothing behind it"),
    ],
)
def test_lines_that_are_wrong(line: str, marked: str, words: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_cell(line)
    (mark,) = caught.value.where
    assert (mark.line, mark.text) == (0, f"%%bpf {line}")
    assert mark.text[mark.column - 1 :][: mark.length] == marked
    assert words in str(caught.value)


def test_the_marked_line_is_shown_as_written() -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_cell("-o opens -t -5")
    assert caught.value.block().splitlines()[:3] == [
        "UsageProblem: a trace cannot last -5 seconds",
        "  %%bpf -o opens -t -5",
        "                    ^~",
    ]


def test_usage_names_every_option_once() -> None:
    text = usage()
    for option in OPTIONS:
        assert text.count(f"  {option} ") == 1
    assert f"{DEFAULT_SECONDS:g} if nothing else" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("4096B", 4096),
        ("1kB", 1000),
        ("1KiB", 1024),
        ("1k", 1024),
        ("1.5 MiB", 3 << 19),
        ("2GB", 2 * 10**9),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1 XB", "1e3", "0.1", "1" * 40, "1iB"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_size(text)


PIECES = [option.flag for option in OPTIONS] + [
    "--",
    "-",
    "=",
    " ",
    "'",
    '"',
    "\\",
    "5",
    "-5",
    "f=k:x",
    "a",
    "é",
    "\n",
]


@given(
    st.text()
    | st.lists(st.sampled_from(PIECES)).map(" ".join)
    | st.lists(st.sampled_from(PIECES)).map("".join)
)
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        options = parse_cell(line)
    except UsageProblem as problem:
        columns = [(mark.column, len(mark.text)) for mark in problem.where]
    else:
        columns = []
        assert options.seconds or options.events or options.background or options.command
    # A value that is missing is marked behind the end ("-n=").
    assert all(0 < column <= length + 1 for column, length in columns)

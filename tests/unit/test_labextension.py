"""What the browser loads for ``%%bpf`` cells, as far as that needs no browser."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import playwright
import pytest

from ebpf_lab.errors import CompileError, LabError, Mark, UsageProblem
from ebpf_lab.notebook import places

ROOT = Path(__file__).parent.parent.parent
EXTENSION = ROOT / "ebpf_lab/labextension"
FILES = sorted((EXTENSION / "static").iterdir())
NODE = Path(playwright.__file__).parent / "driver/node"


def node(program: str, *arguments: str) -> str:
    """What a program of JavaScript prints."""
    command = [NODE, "--input-type=module", *arguments]
    return subprocess.run(command, input=program, capture_output=True, text=True, check=True).stdout


def call(function: str, *arguments: object) -> object:
    """What a function of text.js returns."""
    program = (EXTENSION / "static/text.js").read_text()
    given = ", ".join(json.dumps(argument) for argument in arguments)
    return json.loads(node(f"{program}\nconsole.log(JSON.stringify({function}({given}) ?? null))"))


def test_the_address_says_which_content_it_has() -> None:
    """Browsers keep it for a year: where the content changes, so must the address."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in FILES)).hexdigest()[:12]
    package = json.loads((EXTENSION / "package.json").read_text())
    assert package["jupyterlab"]["_build"]["load"] == f"static/remoteEntry.js?v={digest}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_javascript(path: Path) -> None:
    node(path.read_text(), "--check", "-")


def test_every_file_is_loaded() -> None:
    loaded = re.search(r"const own = \[(.*?)\]", (EXTENSION / "static/remoteEntry.js").read_text())
    assert loaded is not None
    assert re.findall(r"'(\w+)'", loaded[1]) == [path.stem for path in FILES if path.stem != "remoteEntry"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%bpf", {"from": 0, "to": 5}),
        ("%%bpf -t 5\nint x;", {"from": 0, "to": 10}),
        ("\n  %%bpf\nint x;", {"from": 3, "to": 8}),
        ("%%bpftrace", None),
        ("%%bpf2", None),
        ("# %%bpf", None),
        ("import os\n%%bpf", None),
        ("", None),
    ],
)
def test_a_cell_is_known_by_its_first_line(text: str, expected: object) -> None:
    assert call("optionsLine", text) == expected


def test_the_words_of_the_options_are_told_apart() -> None:
    line = "%%bpf -t 2.5 --attach f=kprobe:x 'a b' -- sh -c 'echo \"x\"; -t' 5"
    words = call("optionWords", line)
    assert isinstance(words, list)
    assert [(line[word["from"] : word["to"]], word["kind"]) for word in words] == [
        ("%%bpf", "magic"),
        ("-t", "option"),
        ("2.5", "number"),
        ("--attach", "option"),
        ("f=kprobe:x", "value"),
        ("'a b'", "string"),
        ("--", "operator"),
        ("sh", "command"),
        ("-c", "command"),
        ("'echo \"x\"; -t'", "command"),
        ("5", "command"),
    ]


def test_an_open_quotation_ends_the_line_of_options() -> None:
    words = call("optionWords", "%%bpf -- 'a b")
    assert isinstance(words, list)
    assert [word["kind"] for word in words] == ["magic", "operator", "command"]


SOURCE = "int first;\n\tint \U0001f41d = 1, second;\n"


def said(error: LabError) -> list[places.Place]:
    """What the editor is told."""
    told = places.of_error(error)[places.METADATA]
    assert isinstance(told, dict)
    return list(told["places"])


def found(error: LabError, cell: str) -> list[str]:
    """What of the cell is marked for an error."""
    located = call("located", cell, said(error))
    assert isinstance(located, list)
    units = cell.encode("utf-16-le")
    return [units[2 * each["from"] : 2 * each["to"]].decode("utf-16-le") for each in located]


def test_places_are_found_in_the_cell() -> None:
    second = SOURCE.splitlines()[1]
    error = CompileError(
        "no",
        where=(
            Mark(1, "int first;"),
            Mark(2, second, 13, 6),
            Mark(0, "%%bpf -t x", 7, 4),
            Mark(2, second, 60, 9),
        ),
    )
    # The options have a line of their own, and a bee takes two units of a browser's text.
    expected = ["int first;", "second", "-t x", ";"]
    assert found(error, f"%%bpf -t x\n{SOURCE}") == expected
    # IPython passes over what is empty above, and takes the first line's spaces off all.
    indented = "".join(f"  {each}" for each in SOURCE.splitlines(keepends=True))
    assert found(error, f"\n  %%bpf -t x\n{indented}") == expected


def test_what_was_changed_since_is_not_marked() -> None:
    error = CompileError("no", where=(Mark(1, "int first;", 5, 5), Mark(2, SOURCE.splitlines()[1])))
    assert found(error, "%%bpf\nint other;\n") == []
    assert found(error, f"%%bpf\n\n{SOURCE}") == []
    assert found(error, f"# %%bpf\n{SOURCE}") == []
    assert found(error, "%%bpf") == []


def test_what_is_said_of_a_place() -> None:
    where = (
        Mark(1, "int first;", 5, 5),
        Mark(2, "int second;", 5, 6, "unknown name"),
        Mark(3, "int third;", 5, 5, "declared here", "note"),
    )
    error = CompileError("broken", where=where, why="so", hint="do this")
    assert [(place["severity"], place["message"]) for place in said(error)] == [
        ("error", "CompileError: broken\nwhy: so\nfix: do this"),
        ("error", "unknown name"),
        ("note", "declared here"),
    ]
    # Where each place has a note, all of them are the error's.
    error.where = (Mark(1, "int first;", 5, 5, "400 bytes"),)
    (place,) = said(error)
    assert place["message"] == "CompileError: broken\n400 bytes\nwhy: so\nfix: do this"


def test_an_error_without_a_place_says_nothing_of_one() -> None:
    assert places.of_error(UsageProblem("no")) == {}

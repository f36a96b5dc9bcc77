"""The table of lessons and kernels, made of reports."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/make_lessons_table.py"
HERE = "Linux 6.18, x86_64"
GUEST = "Linux 6.12-amd64, x86_64"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_lessons_table", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names of types
    spec.loader.exec_module(module)
    return module


def report(path: Path, test: str, *cases: tuple[str, str, str]) -> Path:
    """A report of pytest's, of cases with their properties and what is in them besides."""
    written = "".join(
        f'<testcase classname="tests" name="{test}[{name}]" time="7.4"><properties>{properties}</properties>'
        f"{besides}</testcase>"
        for name, properties, besides in cases
    )
    path.write_text(f'<testsuites><testsuite><testcase name="test_other"/>{written}</testsuite></testsuites>')
    return path


def said(**values: str) -> str:
    quoted = {name: value.replace('"', "&quot;") for name, value in values.items()}
    return "".join(f'<property name="{name}" value="{value}"/>' for name, value in quoted.items())


def test_a_row_says_what_was_reported(script: ModuleType, tmp_path: Path) -> None:
    lacking = said(kernel=HERE, code="a1", exercises="0 of 2", without='{"kprobe": "not built in"}')
    live = [
        script.cases([report(tmp_path / f"{n}.xml", script.LIVE_TEST, ("01_x", each, ""))], script.LIVE_TEST)
        for n, each in enumerate((lacking, said(kernel=GUEST, code="a1", exercises="2 of 2", without="{}")))
    ]
    shown = report(
        tmp_path / "replay.xml",
        script.REPLAY_TEST,
        ("01_x-aarch64", said(kernel="Linux 6.12, aarch64, 2026-11-21", code="a1"), ""),
        ("01_x-x86_64", said(kernel="Linux 6.12, x86_64, 2026-11-21", code="a1"), ""),
    )
    made = script.page({"01_x": "a1"}, live, script.cases([shown], script.REPLAY_TEST))
    table = [line for line in made.splitlines() if line.startswith("|")]
    assert table == [
        f"| lesson | {HERE} | {GUEST} | recorded, aarch64 | replay, x86_64 | replay, aarch64 |",
        "| --- | --- | --- | --- | --- | --- |",
        "| [01_x](../notebooks/01_x.ipynb) | passed; exercises 0 of 2; 7 s; without kprobe"
        " | passed; exercises 2 of 2; 7 s | ran, Linux 6.12, aarch64, 2026-11-21 | passed | passed |",
    ]
    assert f"- `kprobe` on {HERE}: not built in\n" in made
    assert "01_x a1\n" in made


@pytest.mark.parametrize("besides", ['<failure message="no"/>', '<error message="no"/>', "<skipped/>"])
def test_what_did_not_pass_makes_no_table(script: ModuleType, tmp_path: Path, besides: str) -> None:
    path = report(tmp_path / "r.xml", script.LIVE_TEST, ("01_x", said(kernel=HERE, code="a1"), besides))
    with pytest.raises(ValueError, match="01_x did not pass on Linux"):
        script.page({"01_x": "a1"}, [script.cases([path], script.LIVE_TEST)], {})


def test_a_lesson_that_was_not_run_makes_no_table(script: ModuleType, tmp_path: Path) -> None:
    path = report(tmp_path / "r.xml", script.LIVE_TEST, ("01_x", said(kernel=HERE, code="a1"), ""))
    with pytest.raises(LookupError, match="02_y"):
        script.page({"01_x": "a1", "02_y": "b2"}, [script.cases([path], script.LIVE_TEST)], {})


def test_a_later_report_counts(script: ModuleType, tmp_path: Path) -> None:
    first = report(tmp_path / "1.xml", script.LIVE_TEST, ("01_x", said(code="a1"), ""), ("02_y", "", ""))
    again = report(tmp_path / "2.xml", script.LIVE_TEST, ("01_x", said(code="a2"), ""))
    found = script.cases([first, again], script.LIVE_TEST)
    assert (found["01_x"].code, [*found]) == ("a2", ["01_x", "02_y"])


def test_a_lesson_that_was_changed_since_makes_no_table(script: ModuleType, tmp_path: Path) -> None:
    path = report(tmp_path / "r.xml", script.LIVE_TEST, ("01_x", said(kernel=HERE, code="a1"), ""))
    with pytest.raises(ValueError, match="01_x was changed since it ran on Linux"):
        script.page({"01_x": "a2"}, [script.cases([path], script.LIVE_TEST)], {})

"""The command line's verbs, as far as they need no kernel."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ebpf_lab import cli
from ebpf_lab.cli.formats import TextTable
from ebpf_lab.cli.loading import Outcome
from ebpf_lab.cli.parquet import ParquetFile
from ebpf_lab.cli.snippets import _table


def _help(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_every_verb_is_listed_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(cli.__file__).parent
    verbs = [path.stem for path in folder.glob("*.py") if "\ndef add(verbs: " in path.read_text()]
    assert len(verbs) >= 3
    listed = _help(capsys)
    for verb in verbs:
        assert f"\n    {verb} " in listed
        assert f"ebpf-lab {verb}" in _help(capsys, verb)


def test_an_unknown_verb_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["nosuch"])
    assert ended.value.code == 2
    assert "nosuch" in capsys.readouterr().err


def test_the_table_of_a_check_says_each_reason_once() -> None:
    found = {
        "6.18": [Outcome("a.bcc", "not loaded", "no kprobes"), Outcome("b.bcc", "not loaded", "no kprobes")],
        "6.1 (VM)": [Outcome("a.bcc", "loaded"), Outcome("b.bcc", "FAILED", "an error")],
    }
    assert _table(["a.bcc", "b.bcc"], found).splitlines() == [
        "       6.18            6.1 (VM)",
        "a.bcc  not loaded (1)  loaded",
        "b.bcc  not loaded (1)  FAILED (2)",
        "",
        "(1) no kprobes",
        "(2) an error",
    ]


def test_a_verb_that_runs_no_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--", "true"]) == 2
    assert "runs no command" in capsys.readouterr().err


def _text(frame: pd.DataFrame) -> list[str]:
    out = io.StringIO()
    writer = TextTable(out)
    writer.write(frame.iloc[:2])
    writer.write(frame.iloc[2:])
    writer.close()
    return out.getvalue().splitlines()


def test_a_table_has_one_header_and_columns_that_stay() -> None:
    frame = pd.DataFrame(
        {
            "ts": pd.to_timedelta([1, 2_000_000_000, None], unit="ns"),
            "pid": np.array([1, 4_000_000_000, 3], np.uint32),
            "name": ["a", "b" * 30, None],
            "ok": [True, False, True],
            "last": ["x", "an\nother \x1b[31m", "y" * 300],
        }
    )
    assert _text(frame) == [
        "           ts      pid  name                  ok     last",
        "  0.000000001        1  a                     yes    x",
        "  2.000000000  4000000000  " + "b" * 30 + "  no     an\\nother \\x1b[31m",
        "            -        3  -                     yes    " + "y" * 300,
    ]


def test_a_table_without_rows_is_empty() -> None:
    assert _text(pd.DataFrame({"pid": np.array([], np.uint32)})) == []


def test_parquet_in_many_portions_is_one_file(tmp_path: Path) -> None:
    file = ParquetFile(tmp_path / "events.parquet")
    portion = pd.DataFrame({"number": np.arange(10_007, dtype=np.uint32), "data": [b"\x00"] * 10_007})
    for _ in range(23):
        file.write(portion.iloc[:0])
        file.write(portion)
    file.close()
    read = pq.ParquetFile(tmp_path / "events.parquet")
    assert read.metadata.num_rows == 23 * 10_007
    assert read.num_row_groups == 4
    assert read.schema_arrow.types == [pa.uint32(), pa.binary()]


def test_parquet_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    before = tmp_path / "events.parquet"
    before.write_text("what was there")
    file = ParquetFile(before)
    file.write(pd.DataFrame({"number": [1]}))
    file.discard()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        ("events.parquet", "what was there")
    ]


def test_parquet_without_events_has_its_columns(tmp_path: Path) -> None:
    file = ParquetFile(tmp_path / "empty.parquet")
    file.write(pd.DataFrame({"number": np.array([], np.uint32)}))
    file.close()
    assert pq.read_schema(tmp_path / "empty.parquet").names == ["number"]

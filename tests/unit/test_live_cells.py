"""Cells that look at the running kernel by themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from ebpf_lab.notebook import live_cells
from ebpf_lab.recordings import course

CELL = "%%live\nlooked = 23\n1 / 0 if looked == 29 else looked"


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    made = InteractiveShell()  # type: ignore[no-untyped-call]
    live_cells.register(made)
    live_cells.register(made)
    yield made
    InteractiveShell.clear_instance()


def test_it_runs_where_there_is_a_kernel(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(course.REPLAY, raising=False)
    result = shell.run_cell(CELL)
    assert result.result == 23
    failed = shell.run_cell("%%live\n\n1 / 0")
    assert isinstance(failed.error_in_exec, ZeroDivisionError)
    assert failed.error_in_exec.__traceback__.tb_next.tb_lineno == 3


def test_it_says_so_where_recordings_are_shown(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(course.REPLAY, "recordings")
    assert shell.run_cell(CELL).result is None
    assert "looked" not in shell.user_ns
    assert capsys.readouterr().out.startswith(
        "This cell looks at the running kernel, and this notebook shows"
    )


def test_other_cells_are_as_they_were(shell: InteractiveShell) -> None:
    assert live_cells.transform(["%%bpf\n", "int x;\n"]) == ["%%bpf\n", "int x;\n"]
    assert live_cells.transform([]) == []
    assert shell.run_cell("23").result == 23

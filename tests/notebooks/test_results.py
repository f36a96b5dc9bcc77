"""What the result of a cell is in a notebook's file, for readers that have no kernel and no widgets."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from support.texts import seek_stream

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def cells(seek: Path, tmp_path_factory: pytest.TempPathFactory) -> list[nbformat.NotebookNode]:
    text = seek_stream("libbpf", "ringbuf")
    written = [
        "%load_ext ebpf_lab",
        f"%%bpf -- {seek} 23\n{text}",
        "len(_), _.offset.max(), type(_.head()).__name__",
        f"%%bpf -o found -- {seek} 7\n{text}",
        "len(found), type(found).__name__, type(_bpf.plot).__name__",
        "_bpf",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in written])
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute(
        cwd=str(tmp_path_factory.mktemp("notebook"))
    )
    return notebook.cells


@pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")
def test_the_file_has_the_header_and_the_first_and_last_rows(cells: list[nbformat.NotebookNode]) -> None:
    for at, events in ((1, 23), (5, 7)):
        live, stays = (output.data for output in cells[at].outputs)
        assert WIDGET in live
        # What cannot show widgets shows nothing here, and all of the other one.
        assert live["text/plain"] == ""
        assert WIDGET not in stays
        assert stays["text/plain"].startswith(f"{events} events · ")
        assert f"{events} events · " in stays["text/html"]
        assert ("10 of 23 rows" if events > 20 else "7 rows") in stays["text/html"]


@pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")
def test_the_value_is_a_frame(cells: list[nbformat.NotebookNode]) -> None:
    assert cells[2].outputs[0].data["text/plain"] == "(23, np.int64(22), 'DataFrame')"
    assert cells[4].outputs[0].data["text/plain"] == "(7, 'DataFrame', 'Plots')"


@pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")
def test_a_named_result_shows_its_header_alone(cells: list[nbformat.NotebookNode]) -> None:
    (output,) = cells[3].outputs
    assert output.data["text/plain"].count("\n") == 0
    assert output.data["text/plain"].startswith("7 events · ")
    assert "<table" not in output.data["text/html"]

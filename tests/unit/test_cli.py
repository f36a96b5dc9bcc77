"""The command line's verbs, as far as they need no kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpf_lab import cli


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

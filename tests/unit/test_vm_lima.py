"""What a machine as Lima makes it is told to run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from support.machine import ROOT

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm import lima
from ebpf_lab.vm.__main__ import main
from ebpf_lab.vm.machine import Machine


def test_scripts_and_probes_are_those_of_the_configuration(tmp_path: Path) -> None:
    lima._scripts(tmp_path)
    config = yaml.safe_load((ROOT / "lima/ebpf-lab.yaml").read_text())
    (script,) = (tmp_path / "provision").iterdir()
    assert script.read_text() == config["provision"][0]["script"].replace("{{.User}}", "learner")
    for number, probe in enumerate(config["probes"]):
        assert (tmp_path / f"probes/{number}").read_text() == probe["script"]
        assert "{{" not in (tmp_path / f"probes/{number}.hint").read_text()
    assert len(list((tmp_path / "probes").iterdir())) == 2 * len(config["probes"])
    # GiB, in the words of either.
    assert config["memory"] == f"{lima.MEMORY}iB"


def test_only_root_can_make_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(VirtualMachineError, match="only be made by root"):
        lima.check("debian13", Machine())


@pytest.mark.parametrize("words", ["--kernel 6.1", "--writable /tmp", "-- true"])
def test_an_image_comes_with_a_kernel_and_a_command(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--image", "debian13", *words.split()])
    assert "--image takes neither a command nor" in capsys.readouterr().err

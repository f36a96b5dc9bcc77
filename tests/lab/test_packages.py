"""The Python packages that ``./lab test`` installs."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.machine import ROOT


def needed(name: str, extras: tuple[str, ...] = ()) -> dict[str, str]:
    """Versions by name: a package's as it is installed here, and of all that it requires in turn."""
    found: dict[str, str] = {}
    todo = [(name, extras)]
    while todo:
        name, extras = todo.pop()
        if (key := canonicalize_name(name)) in found:
            continue
        found[key] = importlib.metadata.version(name)
        for requirement in map(Requirement, importlib.metadata.requires(name) or []):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                todo.append((requirement.name, tuple(requirement.extras)))
    return found


def test_they_are_of_the_versions_that_are_locked() -> None:
    lines = (ROOT / "tests/constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    installed = needed("ebpf-lab", ("lab", "book", "test"))
    del installed["ebpf-lab"]
    assert len(installed) > 80
    assert set(installed) <= set(pins), "lock what is new: scripts/lock.py"
    assert {name: pins[name] for name in installed} == installed


def test_jupyter_s_files_are_installed_as_they_are_here() -> None:
    extension = ROOT / "ebpf_lab/labextension"
    places = {
        path: Path("share/jupyter/labextensions/ebpf-lab", path.relative_to(extension))
        for path in extension.rglob("*.*")
    }
    places[ROOT / "ebpf_lab/notebook/jupyter_config.json"] = Path("etc/jupyter/jupyter_config.json")
    settings = Path("etc/jupyter/labconfig/default_setting_overrides.json")
    places[ROOT / "scripts/jupyterlab_settings.json"] = settings
    assert len(places) > 9
    for path, place in places.items():
        assert (sys.prefix / place).read_bytes() == path.read_bytes(), "./lab setup installs it"

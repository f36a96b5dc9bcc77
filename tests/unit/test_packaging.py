"""What is said of the same packages in several places agrees, and the tests run with the versions locked."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def ranges(lines: list[str]) -> dict[str, str]:
    """Version ranges by package name."""
    read = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): str(each.specifier) for each in read}


def locked() -> dict[str, Version]:
    """The versions of ``tests/constraints.txt``."""
    lines = (ROOT / "tests/constraints.txt").read_text().splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return {name: Version(version) for name, _, version in pins}


def wanted(lines: list[str], seen: dict[str, Requirement] | None = None) -> dict[str, Requirement]:
    """Requirements by name: these, and all that they require in turn, as it is installed here."""
    found = {} if seen is None else seen
    for line in lines:
        each = Requirement(line)
        name = canonicalize_name(each.name)
        applies = each.marker is None or any(
            each.marker.evaluate({"extra": extra}) for extra in ("", *each.extras)
        )
        if name in found or not applies:
            continue
        found[name] = each
        theirs = importlib.metadata.requires(each.name) or []
        inner = [Requirement(line) for line in theirs]
        for requirement in inner:
            extras = ("", *each.extras)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
                requirement.marker = None
                wanted([str(requirement)], found)
    return found


def test_conda_gets_what_pip_gets() -> None:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    assert "--editable ." in pip
    conda = [entry for entry in entries if isinstance(entry, str) and entry != "pip"]
    found = ranges([*conda, *(entry for entry in pip if not entry.startswith("--"))])
    assert found.pop("python") == PROJECT["requires-python"]
    assert found == ranges([*PROJECT["dependencies"], *EXTRAS["lab"]])


def test_the_tests_run_with_the_versions_that_are_locked() -> None:
    pins = locked()
    assert list(pins) == sorted(pins)
    needed = wanted([*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["test"]])
    assert len(needed) > 80
    assert set(needed) <= set(pins), "lock what is new: scripts/lock.py"
    installed = {name: Version(importlib.metadata.version(name)) for name in needed}
    assert {name: str(pins[name]) for name in needed} == {name: str(each) for name, each in installed.items()}
    for name, requirement in needed.items():
        assert requirement.specifier.contains(pins[name], prereleases=True), requirement


def test_only_the_tests_are_locked() -> None:
    """A learner gets ranges: a pin would keep the lab from living beside other packages."""
    for line in (*PROJECT["dependencies"], *EXTRAS["lab"]):
        assert "==" not in line
        assert re.search(r">=\d", line), line


def test_every_python_that_is_promised_is_declared() -> None:
    assert PROJECT["requires-python"] == ">=3.11"
    assert "3.11" in (ROOT / "scripts/setup.sh").read_text()

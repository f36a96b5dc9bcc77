"""What is said of the same packages in several places agrees."""

from __future__ import annotations

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


def test_conda_gets_what_pip_gets() -> None:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    assert "--editable ." in pip
    conda = [entry for entry in entries if isinstance(entry, str) and entry != "pip"]
    found = ranges([*conda, *(entry for entry in pip if not entry.startswith("--"))])
    assert found.pop("python") == PROJECT["requires-python"]
    assert found == ranges([*PROJECT["dependencies"], *EXTRAS["lab"]])


def test_what_the_tests_need_is_locked_within_its_range() -> None:
    pins = locked()
    assert list(pins) == sorted(pins)
    for line in (*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["book"], *EXTRAS["test"]):
        each = Requirement(line)
        name = canonicalize_name(each.name)
        assert name in pins, f"lock {name}: scripts/lock.py"
        assert each.specifier.contains(pins[name], prereleases=True), line


def test_only_the_tests_are_locked() -> None:
    """A learner gets ranges: a pin would keep the lab from living beside other packages."""
    for line in (*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["book"]):
        assert "==" not in line
        assert re.search(r">=\d", line), line


def test_every_python_that_is_promised_is_declared() -> None:
    assert PROJECT["requires-python"] == ">=3.11"
    assert "3.11" in (ROOT / "scripts/setup.sh").read_text()

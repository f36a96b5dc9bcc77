"""Writes tests/constraints.txt: the versions that the tests run with, as they are installed here.

./lab exec pip install --upgrade --upgrade-strategy eager --editable '.[lab,book,test]', ./lab test, and when
that passes ./lab exec python scripts/lock.py.
"""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "tests/constraints.txt"
HEAD = """\
# Versions that the tests run with: ./lab test installs these. Written by scripts/lock.py.
# Users get the ranges of pyproject.toml.
"""


def main() -> None:
    """Write the file."""
    own = {"ebpf-lab", "pip", "setuptools", "wheel"}
    found = {canonicalize_name(each.name): each.version for each in importlib.metadata.distributions()}
    pins = [f"{name}=={version}\n" for name, version in sorted(found.items()) if name not in own]
    PLACE.write_text(HEAD + "".join(pins))
    print(f"{len(pins)} packages in {PLACE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()

"""Record what the running kernel's verifier says of the programs in ``tests/data/verifier``.

Each ``NAME.c`` gets a ``NAME.<kernel version>.log``; run it in a virtual machine to record another kernel.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from ebpf_lab.backends.common import BuildOptions
from ebpf_lab.backends.libbpf import build
from ebpf_lab.errors import VerifierRejected
from ebpf_lab.source.analyse import analyse

_CASES = Path(__file__).parent.parent / "tests" / "data" / "verifier"
_KEPT = 60  # lines; the walk through a million instructions is of no use in the repository


def main(directory: Path) -> None:
    """Write the logs into ``directory``."""
    version = ".".join(platform.release().split(".")[:2])
    for case in sorted(_CASES.glob("*.c")):
        compiled = build(analyse(case.read_text(), dialect="libbpf"), BuildOptions())
        try:
            compiled.load({}).close()
        except VerifierRejected as refused:
            lines = refused.log.splitlines()[-_KEPT:]
            (directory / f"{case.stem}.{version}.log").write_text("\n".join(lines) + "\n")
            print(f"{case.stem}: {refused.what}")
        else:
            print(f"{case.stem}: accepted by {version}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _CASES)

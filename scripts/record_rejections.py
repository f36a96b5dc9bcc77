"""Record what verifiers say of the programs in ``bpf_snippets/rejected`` and in ``tests/data/found``.

The running kernel is recorded, or those named by ``--kernel``, in virtual machines.  A kernel's folder, in
``tests/data/verifier`` or ``tests/data/found``, gets two files for each program that it rejects:
``NAME.log``, the verifier's log of level 2 (compressed when long), and ``NAME.lines``, the object's line
records: instruction, line and column.
"""

from __future__ import annotations

import argparse
import lzma
import platform
import subprocess
import sys
from pathlib import Path
from unittest import mock

from ebpf_lab.backends import refused
from ebpf_lab.backends.common import BuildOptions, backend_for
from ebpf_lab.diagnose import verifier
from ebpf_lab.errors import LabError
from ebpf_lab.host.features import Answer, probe
from ebpf_lab.source import snippets
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.snippets import Snippet

_ROOT = Path(__file__).parent.parent
_GALLERY = _ROOT / "tests" / "data" / "verifier"
_FOUND = _ROOT / "tests" / "data" / "found"
_LONG = 100_000


def record(directory: Path, names: list[str]) -> None:
    """Write into ``directory`` what the running kernel says of the programs named, or of all."""
    for snippet in _programs(directory.parent, names):
        name = Path(snippet.name).name
        for kept in directory.glob(f"{name}.*"):
            kept.unlink()
        lacking = [need for need in snippet.needs if probe(need).answer is not Answer.YES]
        if lacking:
            print(f"{name}: not here, for want of {lacking[0]}", flush=True)
            continue
        error = _record(snippet, directory / name)
        assert snippet.rejection is not None
        failure = snippet.rejection.failure(error, platform.release())
        print(f"{name}: {error.what if error else 'accepted'}{failure and f'  <- {failure}'}", flush=True)


def _programs(collection: Path, names: list[str]) -> list[Snippet]:
    if collection == _GALLERY:
        return [
            snippets.load(name)
            for name in [f"rejected/{name}" for name in names] or snippets.names("rejected")
        ]
    paths = [collection / f"{name}.c" for name in names] or sorted(collection.glob("*.c"))
    return [snippets.parse(path.read_text(), path.stem) for path in paths]


def _record(snippet: Snippet, stem: Path) -> LabError | None:
    spec = analyse(snippet.text, attach=snippet.attach)
    said = mock.Mock(wraps=verifier.rejected)
    # Here log and line records of both backends meet.
    with mock.patch.object(refused, "rejected", said), mock.patch.object(verifier, "rejected", said):
        try:
            compiled = backend_for(spec.dialect)(spec, BuildOptions(log_level=2))
            try:
                compiled.load({}).close()
            finally:
                compiled.close()
        except LabError as error:
            if said.called:
                log, lines = said.call_args.args[0], said.call_args.kwargs["places"]
                _write(stem, log, [f"{each.instruction} {each.line} {each.column}\n" for each in lines])
            return error
    return None


def _write(stem: Path, log: str, lines: list[str]) -> None:
    data = log.encode()
    if len(data) > _LONG:
        Path(f"{stem}.log.xz").write_bytes(lzma.compress(data, preset=9))
    else:
        Path(f"{stem}.log").write_bytes(data)
    Path(f"{stem}.lines").write_text("".join(lines))


def main() -> None:
    """Record each kernel into its folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", action="append", help="boot it, and record it (default: the one here)")
    parser.add_argument("--found", action="store_true", help="the programs in tests/data/found")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="programs (default: all), null_check_missing.bcc"
    )
    options = parser.parse_args()
    if options.into:
        record(options.into, options.names)
        return
    for kernel in options.kernel or [".".join(platform.release().split(".")[:2])]:
        directory = (_FOUND if options.found else _GALLERY) / kernel
        directory.mkdir(exist_ok=True)
        here = [sys.executable, __file__, "--into", str(directory), *options.names]
        machine = [sys.executable, "-m", "ebpf_lab.vm", "--kernel", kernel, "--writable", str(directory)]
        subprocess.run(
            [*([*machine, "--timeout", "3600", "--"] if options.kernel else []), *here], check=True
        )


if __name__ == "__main__":
    main()

"""Programs for a guest of another architecture: Debian packages, unpacked once and kept in the user's cache.

A guest of this machine's own architecture runs this machine's programs.  For any other, here is a small
Debian with all that the lab needs.  No privilege is needed to make it, and nothing of it is run here.
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm.alone import alone
from ebpf_lab.vm.arch import Architecture
from ebpf_lab.vm.image import cache
from ebpf_lab.vm.packages import Progress, Suite

SUITE = "trixie"

# Part of the cache's path: raise it when what is unpacked, or where to, changes.
_LAYOUT = "root-1"

_SYSTEM = (
    "base-files bash coreutils dash diffutils findutils grep gzip hostname iproute2 libc-bin mawk mount"
    " procps sed tar util-linux busybox-static"
)
_LAB = (
    "python3 python3-numpy python3-pandas python3-pyelftools python3-bpfcc clang libbpf1 libbpf-dev bpftool"
    " gcc libc6-dev strace"
)

# Debian does not have these.
_FROM_PYPI = {"tree-sitter", "tree-sitter-c", "pytest"}

_LEFT_OUT = (
    *("./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./usr/share/info/*"),
    *("./usr/lib/python3/dist-packages/pandas/tests/*", "./usr/share/icons/*", "*.a.gz"),
)

_VERB = """\
#!/usr/bin/python3
import sys
from ebpf_lab.cli import main
sys.exit(main())
"""

_FINISH = (
    # Without its cache the loader finds libraries only by their whole names, and ctypes no "libc" at all.
    "ldconfig",
    # Python keeps what it compiles, once for all boots: at the speed of an emulated processor that counts.
    'python3 -c "import bcc, ctypes.util, elftools.elf.elffile, pandas, pytest, tree_sitter, tree_sitter_c"',
)


def root(arch: Architecture, finish: Callable[[Path, str], None], progress: Progress) -> Path:
    """Find a root file system in the cache, or fetch, unpack and finish it.

    Parameters
    ----------
    arch : Architecture
        The guest's architecture.
    finish : callable
        Given the new root file system, runs a shell command in it, on a processor that can.
    progress : callable
        Told in a line, now and then, what a long step is doing.

    Raises
    ------
    VirtualMachineError
        When it cannot be fetched, unpacked or finished.
    """
    parent = cache() / _LAYOUT
    parent.mkdir(parents=True, exist_ok=True)
    directory = parent / arch.debian
    if not directory.exists():
        with alone(parent / f"{arch.debian}.lock", progress, "fetching these programs"):
            if not directory.exists():
                _make(arch, directory, finish, progress)
    return directory


def _make(
    arch: Architecture, directory: Path, finish: Callable[[Path, str], None], progress: Progress
) -> None:
    # What an interrupted run left is thrown away; only a whole tree gets the final name.
    work = directory.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    suite = Suite(SUITE, arch.debian, work / "apt")
    progress(f"programs for {arch.machine}: looking them up in Debian {suite.name} ...")
    suite.update()
    packages = suite.download_whole([*_SYSTEM.split(), *_LAB.split()], progress)
    progress(f"unpacking {len(packages)} packages ...")
    tree = work / "tree"
    for name in ("usr/bin", "usr/sbin", "usr/lib", "proc", "sys", "dev", "run", "tmp"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    (tree / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib"):
        (tree / name).symlink_to(f"usr/{name}")
    for package in packages:
        _unpack(package, tree)
    _add_what_scripts_would(tree)
    progress("fetching Python packages that Debian lacks ...")
    _add_python_packages(arch, tree, progress)
    progress("finishing it in its first boot ...")
    finish(tree, " && ".join(_FINISH))
    tree.rename(directory)
    shutil.rmtree(work)


def _unpack(package: Path, tree: Path) -> None:
    # Not dpkg-deb -x, which would put a directory in the place of a link to one.
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as source:
        done = subprocess.run(
            [
                "tar",
                "-x",
                "-C",
                str(tree),
                "--keep-directory-symlink",
                "--no-same-owner",
                "--no-wildcards-match-slash",
            ]
            + [f"--exclude={pattern}" for pattern in _LEFT_OUT],
            stdin=source.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode or source.returncode:
        raise VirtualMachineError(f"{package.name} does not unpack", log=done.stderr)


def _add_what_scripts_would(tree: Path) -> None:
    # Files that packages make when they are installed, which these are not.
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n")
    (tree / "etc/group").write_text("root:x:0:\ntty:x:5:\nnogroup:x:65534:\n")
    (tree / "etc/hostname").write_text("ebpf-lab\n")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n")
    for name, target in (("sh", "dash"), ("awk", "mawk"), ("cc", "gcc"), ("python", "python3")):
        link = tree / "usr/bin" / name
        if not link.is_symlink():
            link.symlink_to(target)
    for library in (tree / "usr/lib").glob("*-linux-gnu/*/lib*.so.3"):
        # Of BLAS and LAPACK there may be several, in directories of their own.
        if library.parent.name in ("blas", "lapack"):
            (library.parent.parent / library.name).symlink_to(f"{library.parent.name}/{library.name}")
    verb = tree / "usr/local/bin/ebpf-lab"
    verb.parent.mkdir(parents=True, exist_ok=True)
    verb.write_text(_VERB)
    verb.chmod(0o755)


def _add_python_packages(arch: Architecture, tree: Path, progress: Progress) -> None:
    interpreter = (tree / "usr/bin/python3").readlink().name.removeprefix("python")
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
        *("--target", str(tree / f"usr/local/lib/python{interpreter}/dist-packages")),
        *("--python-version", interpreter, "--only-binary=:all:"),
        *(f"--platform=manylinux{glibc}_{arch.machine}" for glibc in ("2014", "_2_28", "_2_34")),
        *requirements(),
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        raise VirtualMachineError(
            "pip could not fetch packages for the guest" + "".join(f"; {line}" for line in said[:2]),
            log=done.stderr,
        )


def requirements() -> list[str]:
    """The lab's own words for the versions of what is from PyPI."""
    try:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
        words = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    except FileNotFoundError:  # this package is installed
        words = importlib.metadata.requires("ebpf-lab") or []
    wanted = [each.partition(";")[0].strip() for each in words]
    return [each for each in wanted if re.split(r"[^\w-]", each, maxsplit=1)[0] in _FROM_PYPI]

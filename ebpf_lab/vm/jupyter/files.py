"""Which files the kernel's process needs to get ready: asked by letting it get ready on the host."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ebpf_lab.errors import VirtualMachineError
from ebpf_lab.vm.initramfs import DIRECTORY, LINK, Entry

PROGRAM = "ebpf_lab.vm.jupyter.guest"

# Not files of a disk: the guest has its own.
_ELSEWHERE = ("/proc/", "/sys/", "/dev/")
_LOADER_CACHE = "/etc/ld.so.cache"


@dataclass(frozen=True, slots=True)
class Needed:
    """What the process needs.

    Attributes
    ----------
    files : tuple of str
        Paths of files.
    code : tuple of str
        Those that are machine code: the interpreter and its libraries.
    """

    files: tuple[str, ...]
    code: tuple[str, ...]


def python() -> list[str]:
    """What decides which Python runs in the guest, and where it looks for modules."""
    return [sys.executable, sys.prefix, sys.version, os.environ.get("PYTHONPATH", "")]


def environment() -> dict[str, str]:
    """The variables of the process until it becomes somebody's kernel."""
    path = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return path | {"HOME": "/tmp", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}


def start(preparation: Sequence[str], extensions: Sequence[str], environment: Mapping[str, str]) -> str:
    """The shell's command that starts the process in the guest."""
    command = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
    command += [sys.executable, "-m", PROGRAM, *preparation]
    command += [f"--extension={extension}" for extension in extensions]
    return f"exec {shlex.join(command)}\n"


def record(preparation: Sequence[str], environment: Mapping[str, str]) -> Needed:
    """Let the kernel's process get ready and open its sockets here, and say which files that took.

    Parameters
    ----------
    preparation : sequence of str
        The process's options that say how.
    environment : mapping

    Raises
    ------
    VirtualMachineError
        When it fails; ``log`` has what it said.
    """
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report"
        command = [sys.executable, "-m", PROGRAM, "--record", str(report), *preparation]
        done = subprocess.run(
            command,
            # What it keeps in a home is not to stay in anybody's.
            env=dict(environment) | {"HOME": name},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode or not report.exists():
            raise VirtualMachineError(
                "a Jupyter kernel does not start even on this machine",
                why=(done.stdout.splitlines() or ["it said nothing"])[-1],
                log=done.stdout,
            )
        told = json.loads(report.read_text())
    mapped = [path for path in told["mapped"] if _regular(path)]
    files = {path for path in told["files"] if _regular(path)} | set(mapped)
    for path in mapped:
        files |= _names_of(path)
    files |= {path for directory in told["path"] for path in _settings(directory)}
    files |= {path for path in (*_interpreter(), _LOADER_CACHE) if _regular(path)}
    code = {path for path in mapped if ".so" in os.path.basename(path)} | {os.path.realpath(sys.executable)}
    return Needed(tuple(sorted(files)), tuple(sorted(code)))


def _regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and not path.startswith(_ELSEWHERE)
    except OSError:
        return False


def _names_of(library: str) -> set[str]:
    # libz.so.1 -> libz.so.1.2.13: the loader asks for the link, and the map shows what is behind it.
    directory, name = os.path.split(library)
    stem = name.split(".so")[0]
    with os.scandir(directory) as entries:
        return {
            entry.path
            for entry in entries
            if entry.is_symlink() and entry.name.startswith(stem) and os.path.realpath(entry.path) == library
        }


def _settings(directory: str) -> Iterable[str]:
    # Python reads these before it can be watched.
    return map(str, Path(directory).glob("*.pth")) if os.path.isdir(directory) else ()


def _interpreter() -> Iterable[str]:
    yield sys.executable
    yield os.path.join(sys.prefix, "pyvenv.cfg")
    # By these two Python finds its own library.
    library = os.path.join(sys.base_prefix, "lib", f"python{sys.version_info.major}.{sys.version_info.minor}")
    yield os.path.join(library, "os.py")
    with open(os.path.realpath(sys.executable), "rb") as file:
        head = file.read(4096)
    # The program header that names the loader points near the file's start in every linker's output.
    start = head.find(b"/lib")
    if start >= 0 and b"ld-" in (loader := head[start : head.index(b"\0", start)]):
        yield loader.decode()


def entries(files: Iterable[str]) -> Iterable[Entry]:
    """Files as entries of the first file system, with the directories and links that lead to them."""
    made: dict[str, Entry] = {}

    def add(path: str) -> None:
        parent = os.path.dirname(path)
        name = path.removeprefix("/")
        if path == "/" or name in made:
            return
        add(parent)
        real_parent = os.path.realpath(parent)
        if real_parent != parent:
            # Below a link: the file itself is made where the link points.
            add(os.path.join(real_parent, os.path.basename(path)))
            return
        status = os.lstat(path)
        modified = int(status.st_mtime)
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(path)
            made[name] = Entry(name, LINK, os.fsencode(target))
            add(os.path.normpath(os.path.join(parent, target)))
        elif stat.S_ISDIR(status.st_mode):
            made[name] = Entry(name, DIRECTORY, modified=modified)
        else:
            made[name] = Entry(name, stat.S_IFREG | 0o555, Path(path).read_bytes(), modified)

    for path in files:
        add(path)
    return made.values()


def state(files: Iterable[str]) -> list[tuple[str, int, int]]:
    """Path, size and time of change of each file, by which a later change shows."""
    found = []
    for path in files:
        try:
            status = os.stat(path)
        except OSError:
            found.append((path, -1, -1))
        else:
            found.append((path, status.st_size, status.st_mtime_ns))
    return found

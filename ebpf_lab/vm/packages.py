"""Debian packages of any suite, fetched by apt with settings of our own.

The machine's own package sources, lists and installed packages stay untouched, and no privilege is needed:
apt works on a private state directory.  It checks signatures with Debian's archive keyring as always.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ebpf_lab.errors import VirtualMachineError

Progress = Callable[[str], None]

MIRROR_VARIABLE = "EBPF_LAB_DEBIAN_MIRROR"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Ubuntu's own mirror has no Debian kernels; its python-apt-common knows where Debian's archive is.
_DISTRIBUTION_TEMPLATE = Path("/usr/share/python-apt/templates/Debian.info")
_PROGRESS_SECONDS = 5.0

_SETTINGS = """\
Dir::State "{root}";
Dir::State::lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}";
Dir::Cache::archives "{root}/archives";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "{root}/none";
Dir::Etc::preferences "{root}/none/preferences";
Dir::Etc::preferencesparts "{root}/none";
Dir::Etc::trusted "{keyring}";
Dir::Etc::trustedparts "{root}/none";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Default-Release "";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::PDiffs "false";
#clear Acquire::IndexTargets;
Acquire::IndexTargets::deb::Packages {{
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
}};
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


def mirror(environment: Mapping[str, str] = os.environ, template: Path = _DISTRIBUTION_TEMPLATE) -> str:
    """The Debian mirror this machine uses, as a URI.

    ``EBPF_LAB_DEBIAN_MIRROR`` if set, else the one in apt's own sources, else (on Ubuntu) the archive that
    python-apt's description of Debian names.

    Raises
    ------
    VirtualMachineError
        When none of them names one.
    """
    if chosen := environment.get(MIRROR_VARIABLE):
        return chosen
    system = _os_release()
    if system.get("ID") == "debian":
        # Without the release files' own words this works on images whose package lists were deleted.
        targets = _run(
            [
                "apt-get",
                "indextargets",
                "--no-release-info",
                "--format",
                "$(RELEASE) $(COMPONENT) $(REPO_URI)",
            ]
        )
        suites = {system.get("VERSION_CODENAME", ""), "stable", "oldstable", "testing", "unstable", "sid"}
        found = [
            uri
            for suite, component, uri in (line.split(" ", 2) for line in targets.splitlines())
            if suite in suites and component == "main"
        ]
        # A company's archive may use a suite's plain name too, but not this path.
        found.sort(key=lambda uri: not urlsplit(uri).path.rstrip("/").endswith("/debian"))
        if found:
            return found[0]
    if template.exists() and (base := re.search(r"^BaseURI: *(\S+)", template.read_text(), re.MULTILINE)):
        return base[1]
    raise VirtualMachineError(
        "no Debian mirror is known, from which the guest's kernel could come",
        hint=f"set {MIRROR_VARIABLE} to a mirror's URI, or: apt-get install python-apt-common",
    )


def keyring() -> Path:
    """The keys that Debian's archive is signed with.

    Raises
    ------
    VirtualMachineError
        When they are not installed.
    """
    if not KEYRING.exists():
        raise VirtualMachineError(
            f"{KEYRING} is missing, so Debian's packages cannot be checked",
            hint="apt-get install debian-archive-keyring",
        )
    return KEYRING


class Suite:
    """One suite of the Debian archive, such as ``trixie-backports``.

    Parameters
    ----------
    name : str
        The suite.
    architecture : str
        Debian's name of the architecture whose packages are wanted.
    root : Path
        A directory for apt's lists and downloads; made if need be.
    """

    def __init__(self, name: str, architecture: str, root: Path) -> None:
        self.name = name
        self._root = root
        for part in ("lists/partial", "archives/partial", "none", "downloads"):
            (root / part).mkdir(parents=True, exist_ok=True)
        (root / "status").touch()
        (root / "sources.list").write_text(f"deb {mirror()} {name} main\n")
        self._settings = root / "apt.conf"
        self._settings.write_text(
            _SETTINGS.format(root=root.absolute(), keyring=KEYRING, architecture=architecture)
        )

    def update(self) -> None:
        """Fetch the suite's signed list of packages."""
        keyring()
        # Without this, apt-get calls a mirror that cannot be reached a warning and succeeds.
        self._apt("apt-get", "update", "-o", "APT::Update::Error-Mode=any")

    def names(self, prefix: str) -> list[str]:
        """Names of the suite's packages that begin with `prefix`."""
        return self._apt("apt-cache", "pkgnames", prefix).split()

    def fields(self, package: str) -> dict[str, str]:
        """The newest version's control fields of one package."""
        text = self._apt("apt-cache", "--no-all-versions", "show", package)
        pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith(" "))
        return {key: value.strip() for key, value in pairs}

    def download(self, packages: Iterable[str], progress: Progress) -> list[Path]:
        """Fetch packages, checked by apt against the signed list, and return their ``.deb`` files."""
        names = list(packages)
        directory = self._root / "downloads"
        for old in directory.iterdir():
            old.unlink()
        total = sum(int(self.fields(name)["Size"]) for name in names)
        self._fetch(["-q", "download", *names], len(names), total, directory, progress)
        return sorted(directory.glob("*.deb"))

    def download_whole(self, packages: Iterable[str], progress: Progress) -> list[Path]:
        """Fetch packages and all that they depend on, recommendations left out; as :meth:`download`."""
        install = ["-q", "-y", "--no-install-recommends", "install", *packages]
        # Lines of 'URI' file size hash
        uris = self._apt("apt-get", "--print-uris", *install)
        sizes = [int(line.split()[2]) for line in uris.splitlines() if line.startswith("'")]
        archives = self._root / "archives"
        self._fetch(["--download-only", *install], len(sizes), sum(sizes), archives, progress)
        return sorted(archives.glob("*.deb"))

    def _fetch(
        self, arguments: Sequence[str], number: int, total: int, directory: Path, progress: Progress
    ) -> None:
        progress(f"downloading {number} packages of Debian {self.name}, {_megabytes(total)} ...")
        command = ["apt-get", "-c", str(self._settings), *arguments]
        with subprocess.Popen(
            command,
            cwd=self._root / "downloads",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as apt:
            told = time.monotonic()
            while True:
                try:
                    _, errors = apt.communicate(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() - told >= _PROGRESS_SECONDS:
                        told = time.monotonic()
                        progress(f"  {_megabytes(self._received(directory))} of {_megabytes(total)}")
        if apt.returncode:
            raise _failed(command, errors.decode(errors="replace"))

    def _received(self, directory: Path) -> int:
        sizes = 0
        for path in (*directory.iterdir(), *(self._root / "archives/partial").iterdir()):
            try:
                sizes += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:
                continue  # apt renames a file when it is whole
        return sizes

    def _apt(self, program: str, *arguments: str) -> str:
        return _run([program, "-c", str(self._settings), "-q", *arguments])


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise VirtualMachineError(
            f"{command[0]} is not installed", why="the guest's kernel comes as Debian packages, through apt"
        ) from None
    if done.returncode:
        raise _failed(command, done.stderr)
    return done.stdout


def _failed(command: list[str], errors: str) -> VirtualMachineError:
    said = [line for line in errors.splitlines() if line.startswith("E:")] or errors.splitlines()[-1:]
    return VirtualMachineError(
        f"{command[0]} failed" + "".join(f"; {line.removeprefix('E: ')}" for line in said[:3]), log=errors
    )


def _os_release() -> dict[str, str]:
    try:
        text = Path("/etc/os-release").read_text()
    except FileNotFoundError:
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"

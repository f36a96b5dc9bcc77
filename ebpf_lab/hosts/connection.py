"""The connection to a cluster's controller."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ebpf_lab.errors import HostFailed, MissingFeature

_CONNECT = 10.0
"""Seconds within which a controller answers."""


def client(file: Path, where: str) -> Any:
    """ipyparallel's client of the cluster with this connection file, which was asked for as ``where``."""
    try:
        import ipyparallel
        import traitlets.log
    except ImportError:
        raise MissingFeature(
            "several hosts take ipyparallel, which is not installed",
            why="it starts the engines on them, knows them, and carries what is sent",
            hint="pip install 'ipyparallel>=8.8', here and on each host; then see docs/hosts.md",
        ) from None
    if not file.is_file():
        raise HostFailed(
            f"no cluster is known by {where!r}" if where else "no cluster is running",
            why=f"there is no {file}, which its controller writes",
            hint="docs/hosts.md says how a cluster is started; %bpf hosts FILE takes another file",
        )
    try:
        made = ipyparallel.Client(str(file), timeout=_CONNECT)
    except Exception as error:  # noqa: BLE001  # it reads the file without checking it
        raise HostFailed(
            f"the cluster of {file} does not answer",
            why=f"{type(error).__name__}: {error}".rstrip(": "),
            hint="start it again: its controller has ended, or cannot be reached from here",
        ) from None
    if made.curve_serverkey:
        log = traitlets.log.get_logger()
        logger = log.logger if isinstance(log, logging.LoggerAdapter) else log
        logger.addFilter(_unsigned)  # which changes nothing the second time
    return made


def file_of(where: str) -> Path:
    """The connection file that is meant by a path, a profile or ``PROFILE:CLUSTER_ID``."""
    if where.endswith(".json") or "/" in where:
        return Path(where).expanduser()
    from IPython.core.profiledir import ProfileDir, ProfileDirError
    from IPython.paths import get_ipython_dir

    profile, _, cluster = where.partition(":")
    name = f"ipcontroller-{cluster}-client.json" if cluster else "ipcontroller-client.json"
    try:
        found = ProfileDir.find_profile_dir_by_name(  # type: ignore[no-untyped-call]
            get_ipython_dir(), profile or "default"
        )
    except ProfileDirError:
        return Path(get_ipython_dir()) / f"profile_{profile or 'default'}" / "security" / name
    return Path(found.security_dir) / name


def _unsigned(record: logging.LogRecord) -> bool:
    """Keep from the log that messages bear no signature, with each message, where CurveZMQ encrypts them."""
    return not record.getMessage().startswith("Message signing is disabled")

"""Errors of several hosts as the one that a cell raises."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from ebpf_lab.errors import HostFailed, LabError
from ebpf_lab.source.words import listing


def as_one(errors: Mapping[str, LabError], total: int) -> LabError:
    """The error of these hosts, of ``total``: their own where all have the same, which is so for wrong C."""
    alike: dict[str, list[str]] = {}
    for host, error in errors.items():
        alike.setdefault(error.block(), []).append(host)
    if len(alike) == 1:
        ((_, hosts),) = alike.items()
        made = copy.copy(errors[hosts[0]])
        made.what = f"{listing(hosts)}: {made.what}"
        made.args = (made.what,)
        return made
    blocks = [f"{listing(hosts)}: {block}" for block, hosts in alike.items()]
    logs = [f"{host}\n{error.log}" for host, error in errors.items() if error.log]
    return HostFailed(f"{len(errors)} of {total} hosts failed", why="\n".join(blocks), log="\n".join(logs))

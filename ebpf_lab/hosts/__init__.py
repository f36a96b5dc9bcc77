"""One C text on several hosts at once, over the engines of an ipyparallel cluster.

>>> from ebpf_lab.hosts import connect
>>> callable(connect)
True

Engines are ipyparallel's: it starts them, knows them and carries what is sent.  On each host the lab
compiles, attaches and decodes for itself, so that kernels and architectures may differ; frames travel back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ebpf_lab.hosts.cluster import Cluster


def connect(where: str = "") -> Cluster:
    """Connect to a cluster that runs.

    Parameters
    ----------
    where : str
        The connection file that ``ipcontroller`` wrote for clients (``…-client.json``), or the name of a
        profile, or ``PROFILE:CLUSTER_ID``; the default profile's unless given.

    Raises
    ------
    MissingFeature
        ipyparallel is not installed.
    HostFailed
        There is no such cluster, or it does not answer.
    """
    from ebpf_lab.hosts.cluster import Cluster

    return Cluster.connect(where)

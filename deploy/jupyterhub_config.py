"""JupyterHub for a machine that a class shares: each student a unit with few capabilities, and limits.

For The Littlest JupyterHub: copy this to /opt/tljh/config/jupyterhub_config.d/ebpf_lab.py, then
`sudo tljh-config reload`. Another JupyterHub with jupyterhub-systemdspawner loads it from its configuration.
docs/classroom.md has the rest of the steps, and what students can see of each other.
"""

from typing import Any

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821  JupyterHub provides it

# Of the capabilities in lima/ebpf-lab.service those that give nobody power over others: they let a student
# see the whole machine, and change nothing of it. CAP_SYS_ADMIN (uprobes), CAP_SYS_PTRACE, CAP_NET_ADMIN
# (XDP) and CAP_DAC_READ_SEARCH would make every student all but root.
CAPABILITIES = ("CAP_BPF", "CAP_PERFMON", "CAP_SYSLOG")

# In place of CAP_DAC_READ_SEARCH: the group that tracefs belongs to (deploy/tracefs-group.conf).
TRACING_GROUP = "ebpf"

HOURS = 4

c.SystemdSpawner.unit_extra_properties = {
    "AmbientCapabilities": " ".join(CAPABILITIES),
    # Nothing that a student starts can get more than this, not by sudo and not by a setuid program.
    "CapabilityBoundingSet": " ".join(CAPABILITIES),
    "SupplementaryGroups": TRACING_GROUP,
    # Processes and threads. A server, two kernels and a compiler take about 60.
    "TasksMax": "512",
    # A trace that somebody forgot ends with its server at the latest, and all its programs and maps with it.
    "RuntimeMaxSec": str(HOURS * 3600),
    "LimitNOFILE": "4096",
}
# BPF maps and ring buffers count, too: since Linux 5.11 the kernel charges them to the unit's memory.
c.SystemdSpawner.mem_limit = "2G"
c.SystemdSpawner.cpu_limit = 1.0
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.disable_user_sudo = True

c.Spawner.default_url = "/lab"
# A kernel that does nothing for so long is ended: a background trace alone does not keep it.
c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=3600",
    "--MappingKernelManager.cull_interval=300",
    "--MappingKernelManager.cull_connected=True",
]

"""The configuration for a shared machine gives students less than the lab gives its only user."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parent.parent.parent
# Each of these gives power over other users' processes or files, or over the machine.
TOO_MUCH = {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_NET_ADMIN", "CAP_DAC_READ_SEARCH"}


def configured() -> dict[str, SimpleNamespace]:
    text = (ROOT / "deploy/jupyterhub_config.py").read_text()
    sections: dict[str, SimpleNamespace] = defaultdict(SimpleNamespace)

    class Config:
        def __getattr__(self, name: str) -> SimpleNamespace:
            return sections[name]

    names: dict[str, Any] = {"get_config": Config}
    exec(compile(text, "jupyterhub_config.py", "exec"), names)
    return sections


def test_students_get_few_capabilities_and_cannot_get_more() -> None:
    unit = (ROOT / "lima/ebpf-lab.service").read_text()
    ours = set(re.findall(r"^AmbientCapabilities=(\w+)$", unit, re.MULTILINE))
    spawner = configured()["SystemdSpawner"]
    given = set(spawner.unit_extra_properties["AmbientCapabilities"].split())
    assert given
    assert given < ours
    assert not given & TOO_MUCH
    assert spawner.unit_extra_properties["CapabilityBoundingSet"].split() == list(
        spawner.unit_extra_properties["AmbientCapabilities"].split()
    )
    assert spawner.disable_user_sudo is True


def test_each_student_is_limited() -> None:
    spawner = configured()["SystemdSpawner"]
    assert spawner.mem_limit.endswith("G")
    assert spawner.cpu_limit > 0
    assert {"TasksMax", "RuntimeMaxSec"} <= set(spawner.unit_extra_properties)
    # systemd takes texts.
    assert all(isinstance(value, str) for value in spawner.unit_extra_properties.values())


def test_the_group_is_the_one_that_tracefs_is_given_to() -> None:
    mount = (ROOT / "deploy/tracefs-group.conf").read_text()
    group = configured()["SystemdSpawner"].unit_extra_properties["SupplementaryGroups"]
    (number,) = set(re.findall(r"gid[= ](\d+)", mount))
    assert f"--gid {number} {group}" in mount
    assert "mode=0750" in re.search(r"^Options=(.*)$", mount, re.MULTILINE)[1]  # type: ignore[index]
    classroom = (ROOT / "docs/classroom.md").read_text()
    assert f"groupadd --system --gid {number} {group}" in classroom

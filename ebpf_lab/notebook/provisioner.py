"""How Jupyter starts the kernel "eBPF Lab (VM)": its machine is made ready first, and a failure is shown."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

NAME = "ebpf-lab-vm"
"""The provisioner's name in kernel specifications."""


class MachineProvisioner(LocalProvisioner):
    """Starts the process that owns the machine, as a local kernel's process, once there is a machine.

    The first kernel on a computer waits for a download and for a machine to be saved: minutes, which Jupyter
    would not give a kernel to answer in, but does give a provisioner.
    """

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Make ready what the kernel begins as.

        Raises
        ------
        RuntimeError
            When that fails, with the lab's own words, which Jupyter shows.
        """
        prepared: dict[str, Any] = await super().pre_launch(**kwargs)
        process = await asyncio.create_subprocess_exec(
            *prepared["cmd"],
            "--prepare",
            env=prepared.get("env"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        said = []
        try:
            async for line in process.stderr:
                said.append(line.decode(errors="replace").rstrip())
                self.log.info("%s", said[-1])
            failed = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        if failed:
            raise RuntimeError("\n".join(said))
        return prepared

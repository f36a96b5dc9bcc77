"""A Debian kernel under QEMU over this machine's files: for tests, and for machines without kprobes."""

from __future__ import annotations

from ebpf_lab.vm.image import KERNELS
from ebpf_lab.vm.machine import Machine, TimeLimit

__all__ = ["KERNELS", "Machine", "TimeLimit"]

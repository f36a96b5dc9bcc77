"""Run a test once with each backend that this machine can use."""

from __future__ import annotations

import pytest

LIBBPF = pytest.mark.needs("libbpf", "clang", "btf")
BCC = pytest.mark.needs("bcc", "headers")

each_backend = pytest.mark.parametrize(
    "backend", [pytest.param("libbpf", marks=LIBBPF), pytest.param("bcc", marks=BCC)]
)

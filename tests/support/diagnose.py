"""``benchmarks/diagnose.py`` as a module: the figure that it prints is the one that tests assert."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from support.machine import ROOT


def load() -> ModuleType:
    """The module, imported from its file."""
    name = "benchmarks_diagnose"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / "diagnose.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]

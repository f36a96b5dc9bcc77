"""How hypothesis tries properties."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes depends on what else the machine is doing.
settings.register_profile("lab", deadline=None)
settings.load_profile("lab")

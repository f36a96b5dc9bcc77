"""The guests of all files here are one pool."""

from __future__ import annotations

from support.guests import guests as guests

"""``python -m ebpf_lab.cli``: where the command itself is not installed."""

from __future__ import annotations

import sys

from ebpf_lab.cli import main

sys.exit(main())

"""The tests that load programs, under other kernels than the one here, and on other processors."""

from __future__ import annotations

import pytest
from support.globs import matches
from support.guests import KERNELS, OTHER, OTHER_CHECKS, SKIPPED_HERE, Guests, as_reported


@pytest.mark.parametrize("guest", KERNELS)
def test_suite_passes_under_kernel(guest: str, guests: Guests, capsys: pytest.CaptureFixture[str]) -> None:
    ran = guests.passed(guest, capsys)
    missed = [
        entry.pattern
        for entry in SKIPPED_HERE
        if not any(matches(as_reported(entry.pattern), test) for test in ran)
        and not (KERNELS[guest] and "bcc" in entry.pattern)
    ]
    assert not missed


@pytest.mark.parametrize("guest", [OTHER])
def test_programs_run_on_the_other_architecture(
    guest: str, guests: Guests, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = guests.passed(guest, capsys)
    assert [check for check in OTHER_CHECKS if as_reported(check) not in ran] == []

"""The page about lessons and kernels is about the lessons as they are."""

from __future__ import annotations

import re

from support.lesson_code import digest
from support.machine import ROOT

from ebpf_lab.lessons import catalogue

AGAIN = "sudo ./lab exec python scripts/make_lessons_table.py --lesson "


def test_each_lesson_ran_with_the_code_that_it_has() -> None:
    text = (ROOT / "docs/lessons.md").read_text()
    ran = dict(re.findall(r"^(\d\d_\w+) ([0-9a-f]{12})$", text, re.MULTILINE))
    changed = [each.number for each in catalogue.lessons() if ran.get(each.name) != digest(each.name)]
    assert not changed, AGAIN + " ".join(changed)
    assert re.findall(r"^\| \[(\w+)\]", text, re.MULTILINE) == [each.name for each in catalogue.lessons()]

"""Reads the reference's Markdown: a section for each name, or for several that belong together.

::

    ## NAME, NAME
    field: value
    A paragraph.
    ```c
    an example: lines of a program's function, or ("c program") whole programs and maps
    ```
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_FIELD = re.compile(r"(since|dialect|signature|context): (.*)")
_EXAMPLE = re.compile(r"^```c ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Section:
    """What is written about a name.

    Attributes
    ----------
    fields : mapping
        since, dialect, signature and context, those that are given.
    text : str
        One paragraph.
    example : str
        C, "" for none.
    within : str
        What the example stands in: "" for a program's function, "program" for nothing, "lab" for a function
        whose text the lab changes before it is compiled.
    """

    fields: Mapping[str, str]
    text: str
    example: str
    within: str


def read(markdown: str) -> dict[str, Section]:
    """The sections by name."""
    found: dict[str, Section] = {}
    for part in re.split(r"^## ", markdown, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        example = _EXAMPLE.search(body)
        lines = (body[: example.start()] if example else body).splitlines()
        fields: dict[str, str] = {}
        while lines and (match := _FIELD.fullmatch(lines[0])):
            fields[match[1]] = match[2]
            del lines[0]
        made = Section(
            fields,
            " ".join(lines).strip(),
            example[2].rstrip() if example else "",
            example[1] if example else "",
        )
        found.update(dict.fromkeys(heading.split(", "), made))
    return found

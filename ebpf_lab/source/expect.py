"""What a snippet's frame must hold: the clauses of its ``expect`` lines, as plain data.

========================================================  ==============================================
``rows == 23 where comm == "true" and pid > 0``           so many rows
``count == 23 where comm == "true"``                      every such row (and there is one)
``any filename == "/etc/hostname"``                       at least one row
``sum count >= 23 where comm == "true"``                  the sum over such rows
========================================================  ==============================================

A comparison is a column, one of ``== != < <= > >= contains``, and a number or a text in double quotes.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, NoReturn

from ebpf_lab.errors import Mark, UsageProblem

Kind = Literal["rows", "every", "any", "sum"]
Value = int | float | str

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:\\.|[^"\\])*")|(?P<number>-?(?:0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}(?:\.[0-9]{1,20})?))
    |(?P<operator>==|!=|<=|>=|<|>)|(?P<end>;)|(?P<word>[A-Za-z_][\w.]*))""",
    re.ASCII | re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t"}


def _contains(actual: object, part: object) -> bool:
    return str(part) in str(actual)


_OPERATORS: dict[str, Callable[[Any, Any], object]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "contains": _contains,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column against a value; ``op`` is one of ``== != < <= > >= contains``."""

    column: str
    op: str
    value: Value

    def holds(self, actual: object) -> bool:
        """Whether a value of the column (a missing one never does) compares so."""
        try:
            return bool(_OPERATORS[self.op](actual, self.value))
        except TypeError:  # of different kinds, or missing
            return False

    def __str__(self) -> str:
        value = f'"{self.value}"' if isinstance(self.value, str) else self.value
        return f"{self.column} {self.op} {value}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One clause.

    Attributes
    ----------
    kind : {"rows", "every", "any", "sum"}
        What must compare: the number of rows, the column in every row, in any row, or its sum.
    column : str
        "" for ``rows``.
    op, value
        As in :class:`Comparison`.
    conditions : tuple of Comparison
        Which rows count; all of them must hold.
    """

    kind: Kind
    column: str
    op: str
    value: Value
    conditions: tuple[Comparison, ...] = ()

    def __str__(self) -> str:
        words = {"rows": "", "every": "", "any": "any ", "sum": "sum "}[self.kind]
        clause = words + str(Comparison(self.column or "rows", self.op, self.value))
        return clause + (f" where {' and '.join(map(str, self.conditions))}" if self.conditions else "")

    def failure(self, rows: Iterable[Mapping[str, object]]) -> str:
        """Why the rows are not as expected, "" when they are.

        Parameters
        ----------
        rows : iterable of mapping
            The frame's rows by column, as ``frame.to_dict("records")`` gives them.
        """
        rows = list(rows)
        used = {self.column or None, *(condition.column for condition in self.conditions)} - {None}
        lacking = sorted(str(name) for name in used if rows and name not in rows[0])
        if lacking:
            return f"{self}: there is no column {lacking[0]}, but {', '.join(map(str, rows[0]))}"
        chosen = [row for row in rows if all(each.holds(row[each.column]) for each in self.conditions)]
        found = self._shortfall(chosen)
        return f"{self}: {found} ({len(chosen)} of {len(rows)} rows count)" if found else ""

    def _shortfall(self, rows: list[Mapping[str, object]]) -> str:
        compared = Comparison(self.column, self.op, self.value)
        if self.kind == "rows":
            return "" if compared.holds(len(rows)) else f"there are {len(rows)}"
        values = [row[self.column] for row in rows]
        if self.kind == "sum":
            total: Any = sum(value for value in values if isinstance(value, Real))
            return "" if compared.holds(total) else f"it is {total}"
        wrong = [value for value in values if not compared.holds(value)]
        if self.kind == "any":
            return "" if len(wrong) < len(values) else "in no row"
        if not values:
            return "there is no such row"
        return f"it is {wrong[0]!r} in {len(wrong)} rows" if wrong else ""


def parse_expectations(text: str) -> tuple[Expectation, ...]:
    """Read clauses, divided by ``;`` or by the ends of lines.

    Raises
    ------
    UsageProblem
        A clause is none; the mark (line 0) is where it stops making sense.

    Examples
    --------
    >>> [clause.kind for clause in parse_expectations('rows == 2; any comm == "cat"')]
    ['rows', 'any']
    """
    return tuple(clause for line in text.splitlines() for clause in _Reader(line).clauses())


class _Reader:
    """The tokens of one line, read from left to right."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0

    def clauses(self) -> Iterable[Expectation]:
        while self._line[self._at :].strip():
            yield self._clause()
            if self._line[self._at :].strip():
                self._take("end", "a clause ends here, or goes on with where or and")

    def _clause(self) -> Expectation:
        word = self._take("word", "a clause begins with a column, rows, any or sum")
        kind: Kind = "every"
        column = word
        if word == "rows":
            kind, column = "rows", ""
        elif word in ("any", "sum"):
            kind = "any" if word == "any" else "sum"
            column = self._take("word", f"the name of a column stands behind {word}")
        op, value = self._op(), self._value()
        conditions = []
        joined = "where"
        while self._next_is(joined):
            conditions.append(
                Comparison(
                    self._take("word", f"the name of a column stands behind {joined}"),
                    self._op(),
                    self._value(),
                )
            )
            joined = "and"
        return Expectation(kind, column, op, value, tuple(conditions))

    def _op(self) -> str:
        if self._next_is("contains"):
            return "contains"
        return self._take("operator", f"one of {' '.join(_OPERATORS)} stands here")

    def _value(self) -> Value:
        match = _TOKEN.match(self._line, self._at)
        if match is None or match.lastgroup not in ("number", "text"):
            self._fail('a number or a text in double quotes ("…") stands here')
        self._at = match.end()
        if match["text"] is not None:
            return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match["text"][1:-1])
        return (
            float(match["number"]) if "." in match["number"] else int(match["number"], _base(match["number"]))
        )

    def _next_is(self, word: str) -> bool:
        match = _TOKEN.match(self._line, self._at)
        if match is None or match["word"] != word:
            return False
        self._at = match.end()
        return True

    def _take(self, kind: str, otherwise: str) -> str:
        match = _TOKEN.match(self._line, self._at)
        if match is None or match.lastgroup != kind:
            self._fail(otherwise)
        self._at = match.end()
        return str(match[kind])

    def _fail(self, why: str) -> NoReturn:
        rest = self._line[self._at :]
        column = self._at + len(rest) - len(rest.lstrip()) + 1
        raise UsageProblem(
            "this is no expectation",
            where=(Mark(0, self._line, column),),
            why=why,
            hint='rows == 23 where comm == "true"',
        )


def _base(number: str) -> int:
    return 16 if "x" in number.lower() else 10

"""Conditions of policies: a field, an operator, and what the field is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from asgi_express.security._values import freeze
from asgi_express.security._wildcard import Wildcard
from asgi_express.security.actor import Actor

__all__ = ["MISSING", "OPERATORS", "Condition", "Facts", "check_field", "compare", "read_field"]

MISSING: Any = object()
"""What a field is that is not there."""

_COLLECTIONS = (tuple, frozenset)


class Facts(NamedTuple):
    """What is asked: who wants to do what with which thing, and further facts."""

    actor: Actor
    action: str
    resource: str
    meta: Mapping[str, Any]


class _Incomparable(Exception):
    """The operator means nothing for these two values."""


def _equal(left: Any, right: Any) -> bool:
    # In Python True == 1: a flag is not a number here.
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(left: Any, right: Any) -> bool:
        if isinstance(left, bool) or isinstance(right, bool):
            raise _Incomparable
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if not numbers and not (isinstance(left, str) and isinstance(right, str)):
            raise _Incomparable
        return compare(left, right)

    return test


def _within(left: Any, right: Any) -> bool:
    if not isinstance(right, _COLLECTIONS):
        raise _Incomparable
    return any(_equal(left, each) for each in right)


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return right in left
    return _within(right, left)


def _matches(left: Any, right: Any) -> bool:
    if not isinstance(left, str) or not isinstance(right, str):
        raise _Incomparable
    return Wildcard(right).matches(left)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "lt": _ordered(lambda left, right: left < right),
    "gt": _ordered(lambda left, right: left > right),
    "lte": _ordered(lambda left, right: left <= right),
    "gte": _ordered(lambda left, right: left >= right),
    "in": _within,
    "contains": _contains,
    "matches": _matches,
}

_NEGATIONS = {"ne": "eq", "nin": "in", "ncontains": "contains", "nmatches": "matches"}

_PRESENCE = {"exists": True, "nexists": False}

OPERATORS = frozenset({*_TESTS, *_NEGATIONS, *_PRESENCE})
"""The fourteen operators."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a policy.

    ======================== =====================================================================
    ``eq`` ``ne``            the same value or not; ``True`` is not 1
    ``lt`` ``gt`` ``lte`` ``gte``  numbers by size, text by code points
    ``in`` ``nin``           the field is one of a list, or none
    ``contains`` ``ncontains``  the list, or the text, has the value in it, or not
    ``matches`` ``nmatches`` the text fits a pattern with ``*``, or not
    ``exists`` ``nexists``   the field is there, or not; they take no value
    ======================== =====================================================================

    A field that is not there is equal to nothing, in nothing and compares with nothing: only ``ne``, ``nin``,
    ``ncontains``, ``nmatches`` and ``nexists`` hold for it. What cannot be compared at all, such as text with a number,
    counts against the request: a policy that allows does not apply then, one that denies does.

    Attributes:
        field: ``actor.id``, ``actor.meta.…``, ``action``, ``resource`` or ``meta.…``, deeper with further dots.
        operator: one of the above.
        value: what to compare with.
        value_from: another field to compare with, instead of ``value``. If that is not there, nothing can be compared.

    Raises:
        ValueError: a field or an operator is unknown, there is not one of ``value`` and ``value_from`` where one is
            needed, or the value is nothing for the operator.

    Examples::

        Condition("actor.meta.role", "in", ["editor", "admin"])

        Condition("meta.params.id", "eq", value_from="actor.id")
    """

    field: str
    operator: str
    value: Any = MISSING
    value_from: str | None = None

    def __post_init__(self) -> None:
        check_field(self.field)
        if self.operator not in OPERATORS:
            msg = f"Condition: operator must be one of {', '.join(sorted(OPERATORS))}, not {self.operator!r}"
            raise ValueError(msg)
        given = (self.value is not MISSING) + (self.value_from is not None)
        wanted = 0 if self.operator in _PRESENCE else 1
        if given != wanted:
            what = "one of value and value_from" if wanted else "neither value nor value_from"
            msg = f"Condition: {self.operator} on {self.field} takes {what}"
            raise ValueError(msg)
        if self.value_from is not None:
            check_field(self.value_from)
        object.__setattr__(self, "value", freeze(self.value))
        if self.value is not MISSING:
            self._check_value()

    def _check_value(self) -> None:
        value, operator = self.value, _NEGATIONS.get(self.operator, self.operator)
        if operator == "in" and not isinstance(value, _COLLECTIONS):
            msg = f"Condition: {self.operator} takes a list, not {value!r}"
            raise ValueError(msg)
        if operator in ("lt", "gt", "lte", "gte") and (
            isinstance(value, bool) or not isinstance(value, int | float | str)
        ):
            msg = f"Condition: {self.operator} takes a number or text, not {value!r}"
            raise ValueError(msg)
        if operator == "matches" and (not isinstance(value, str) or value.startswith("^") or value.endswith("$")):
            msg = f"Condition: {self.operator} takes a pattern with '*', not a regular expression, got {value!r}"
            raise ValueError(msg)

    def holds(self, facts: Facts) -> bool | None:
        """Tell whether it holds; ``None`` where the two values cannot be compared. Not for programs."""
        left = read_field(facts, self.field)
        if self.operator in _PRESENCE:
            return (left is not MISSING) == _PRESENCE[self.operator]
        right = self.value if self.value_from is None else read_field(facts, self.value_from)
        return compare(self.operator, left, right)


def compare(operator: str, left: Any, right: Any) -> bool | None:
    """Tell whether an operator holds between two values; ``None`` where they cannot be compared."""
    if right is MISSING:
        return None
    negated = operator in _NEGATIONS
    if left is MISSING:
        return negated
    try:
        return _TESTS[_NEGATIONS.get(operator, operator)](left, right) != negated
    except _Incomparable:
        return None


def check_field(path: Any) -> None:
    """Raise ``ValueError`` for what is no field."""
    known = isinstance(path, str) and (
        path in ("actor.id", "action", "resource")
        or (path.startswith(("actor.meta.", "meta.")) and all(path.split(".")))
    )
    if not known:
        msg = f"Condition: a field is actor.id, actor.meta.…, action, resource or meta.…, not {path!r}"
        raise ValueError(msg)


def read_field(facts: Facts, path: str) -> Any:
    """Return a field of what is asked, ``MISSING`` where it is not there."""
    if path == "actor.id":
        return facts.actor.id
    if path == "action":
        return facts.action
    if path == "resource":
        return facts.resource
    value: Any = facts.actor.meta if path.startswith("actor.") else facts.meta
    for key in path.partition("meta.")[2].split("."):
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return freeze(value)

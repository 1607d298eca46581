"""How much an upload may be of everything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from asgi_express.body._options import limit_of

__all__ = ["Limits", "limits_of"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits; each is the most that is allowed.

    Attributes:
        field_name_size: characters in the name of a field.
        field_size: bytes in the value of a field.
        field_total_size: bytes in the values of all fields.
        fields: how many fields.
        file_size: bytes in a file.
        files: how many files.
        parts: how many parts, fields and files.
        header_pairs: how many headers of one part.
        field_nesting_depth: how many brackets in the name of a field.
        field_array_index: the highest index in the name of a field, ``a[100]``.
    """

    field_name_size: float = math.inf
    field_size: float = 1024 * 1024
    field_total_size: float = 2 * 1024 * 1024
    fields: float = 1000
    file_size: float = math.inf
    files: float = 100
    parts: float = math.inf
    header_pairs: float = 8
    field_nesting_depth: float = 32
    field_array_index: float = 100


_SIZES = frozenset({"field_size", "field_total_size", "file_size"})
_NAMES = tuple(field.name for field in fields(Limits))

# `wrap` and `plain` of the fields go down one Python frame for each level.
_MAX_NESTING = 100


def limits_of(given: Any) -> Limits:
    """Check the limits that were given; those that were not, or are ``None``, have their defaults.

    Raises:
        TypeError: they are no mapping, or one of them is of a wrong type.
        ValueError: there is no such limit, or it cannot have that value.
    """
    if given is None:
        return Limits()
    if not isinstance(given, Mapping):
        msg = f"multipart: option limits must be a mapping of names to numbers, not {given!r}"
        raise TypeError(msg)
    found: dict[str, float] = {}
    for name, value in given.items():
        if name not in _NAMES:
            msg = f"multipart: there is no limit {name!r}; there are {', '.join(_NAMES)}"
            raise ValueError(msg)
        if value is not None:
            found[name] = limit_of("multipart", name, value, 0) if name in _SIZES else _count(name, value)
    return Limits(**found)


def _count(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"multipart: limit {name} must be a number, not {value!r}"
        raise TypeError(msg)
    greatest = _MAX_NESTING if name == "field_nesting_depth" else math.inf
    if not 0 <= value <= greatest or (value != math.inf and value != int(value)):
        words = f"from 0 to {_MAX_NESTING}" if greatest != math.inf else "not negative, or math.inf"
        msg = f"multipart: limit {name} must be a whole number, {words}, not {value!r}"
        raise ValueError(msg)
    return value

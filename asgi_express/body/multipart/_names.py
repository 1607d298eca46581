"""Nested field names, as npm's ``append-field`` 1.0, which multer uses: ``a[b]``, ``a[0]``, ``a[]``.

A list with holes has ``None`` there, as JSON shows it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

__all__ = ["append_field", "highest_index"]

_PATH = re.compile(r"[^\[]+(?:\[[^\]]+\])*(?:\[\])?")
_STEP = re.compile(r"\[([^\]]+)\]")
_INDEX = re.compile("[0-9]+")

Key = str | int


def _steps(name: str) -> tuple[list[Key], bool]:
    """Return the keys of a name, and whether it ends with ``[]``; a name that is no path is one key."""
    if not _PATH.fullmatch(name):
        return [name], False
    opening = name.find("[")
    if opening < 0:
        return [name], False
    inside: list[str] = _STEP.findall(name, opening)
    keys = [_number(key) if _INDEX.fullmatch(key) else key for key in inside]
    return [name[:opening], *keys], name.endswith("[]")


def highest_index(name: str) -> int:
    """Return the highest index of a list in a name, ``-1`` if it has none."""
    if not _PATH.fullmatch(name):
        return -1
    return max((_number(key) for key in _STEP.findall(name) if _INDEX.fullmatch(key)), default=-1)


def _number(digits: str) -> int:
    """Return the number, or one that is as good as any beyond all limits."""
    return int(digits.lstrip("0")[:18] or "0")


def append_field(fields: dict[str, Any], name: str, value: str) -> None:
    """Put the value of a field where its name says; its index and its depth were checked."""
    keys, appends = _steps(name)
    place: Any = fields
    for key, following in pairwise(keys):
        place = _enter(place, key, into_list=isinstance(following, int))
    _put(place, keys[-1], value, appends=appends)


def _enter(place: Any, key: Key, *, into_list: bool) -> Any:
    """Return what a key leads to, made or made over so that it can hold the next key."""
    inside = _get(place, key)
    if inside is None:
        inside = [] if into_list else {}
    elif isinstance(inside, str):
        inside = {"": inside}
    elif isinstance(inside, list) and not into_list:
        inside = {str(index): item for index, item in enumerate(inside) if item is not None}
    else:
        return inside
    _set(place, key, inside)
    return inside


def _put(place: Any, key: Key, value: str, *, appends: bool) -> None:
    present = _get(place, key)
    while isinstance(present, dict):
        place, key, appends = present, "", False
        present = place.get("")
    if present is None:
        _set(place, key, [value] if appends else value)
    elif isinstance(present, list):
        present.append(value)
    else:
        _set(place, key, [present, value])


def _get(place: Any, key: Key) -> Any:
    if isinstance(place, dict):
        return place.get(str(key))
    assert isinstance(key, int)  # noqa: S101 - a list is only entered for an index
    return place[key] if key < len(place) else None


def _set(place: Any, key: Key, value: Any) -> None:
    if isinstance(place, dict):
        place[str(key)] = value
        return
    assert isinstance(key, int)  # noqa: S101 - a list is only entered for an index
    place.extend([None] * (key + 1 - len(place)))
    place[key] = value

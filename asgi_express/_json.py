"""JSON as ``JSON.stringify`` writes it: compact, non-ASCII as it is, NaN and infinity as ``null``."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

__all__ = ["dumps"]

Replacer = Callable[[str, Any], Any] | Sequence[str]

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def dumps(
    value: Any, *, spaces: int | str | None = None, replacer: Replacer | None = None, escape: bool = False
) -> str:
    """Serialise a value.

    Dates become ISO 8601 (UTC as ``Z``), ``UUID`` and ``Decimal`` text, enums their value, dataclasses
    and objects with ``to_json`` or ``model_dump`` objects, sets and other iterables lists.

    Args:
        value: what to serialise.
        spaces: the indent, as ``JSON.stringify``'s third argument: up to 10 spaces, or up to 10 characters of text.
        replacer: ``(key, value) -> value`` for every member, or the names of the members to keep.
        escape: whether ``<``, ``>`` and ``&`` become escapes, for JSON inside HTML.

    Raises:
        TypeError: a value has no JSON form.
        ValueError: a value contains itself.
    """
    if replacer is not None:
        value = _replace(value, replacer)
    indent = min(spaces, 10) if isinstance(spaces, int) else (spaces or "")[:10]
    separators = (",", ": ") if indent else (",", ":")
    arguments: dict[str, Any] = {"separators": separators, "indent": indent or None, "default": _default}
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, **arguments)
    except ValueError as error:
        if "Out of range float" not in str(error):
            raise
        text = json.dumps(_finite(value), ensure_ascii=False, **arguments)
    if not text.isascii():
        text = _well_formed(text)
    return text.translate(_ESCAPES) if escape else text


def _well_formed(text: str) -> str:
    """Escape lone surrogates, which UTF-8 cannot carry (ECMA-262, well-formed JSON.stringify)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def _default(value: Any) -> Any:
    for name in ("to_json", "model_dump"):
        method = getattr(value, name, None)
        if callable(method):
            return method()
    if isinstance(value, datetime):
        text = value.isoformat(timespec="milliseconds")
        return text[:-6] + "Z" if value.tzinfo is not None and value.utcoffset() == UTC.utcoffset(None) else text
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)) or (
        hasattr(value, "__iter__") and not isinstance(value, (bytes, bytearray))
    ):
        return list(value)
    msg = f"{type(value).__name__} has no JSON form"
    raise TypeError(msg)


def _finite(value: Any) -> Any:
    """Copy a value with NaN and infinities as ``None``; only reached when there is one."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if value is None or isinstance(value, (str, int)):
        return value
    return _finite(_default(value))


def _replace(value: Any, replacer: Replacer, key: str = "") -> Any:
    if callable(replacer):
        value = replacer(key, value)
        keep = None
    else:
        keep = frozenset(map(str, replacer))
    if isinstance(value, Mapping):
        members = value.items()
        return {
            name: _replace(item, replacer, str(name)) for name, item in members if keep is None or str(name) in keep
        }
    if isinstance(value, (list, tuple)):
        return [_replace(item, replacer, str(index)) for index, item in enumerate(value)]
    return value

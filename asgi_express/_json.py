"""JSON as ``JSON.stringify`` writes it: compact, non-ASCII as it is, NaN and infinity as ``null``."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from json import encoder
from typing import Any
from uuid import UUID

__all__ = ["dumps"]

Replacer = Callable[[str, Any], Any] | Sequence[str]

_SURROGATE = re.compile("[\ud800-\udfff]")
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
        ValueError: a value contains itself, or is nested too deep.
    """
    try:
        text = _compact(value) if spaces is None and replacer is None else None
        if text is None:
            text = _text(value, _indent(spaces), replacer)
    except RecursionError:
        msg = "the value contains itself, or is nested too deep"
        raise ValueError(msg) from None
    if not text.isascii():
        text = _well_formed(text)
    return text.translate(_ESCAPES) if escape else text


class _OnceOnly(Exception):
    """A value gives its items only once: it is not for the first attempt."""


def _first_form(value: Any) -> Any:
    if isinstance(value, Iterator):
        raise _OnceOnly
    return _default(value)


# Made once: json.dumps makes an encoder for every call, and one in C for every value; three quarters of its time for
# a small object. Values that contain themselves end in a RecursionError here.
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=_first_form
)
# A name that interpreters without the C of the standard library do not have.
_MAKE: Callable[..., Callable[[Any, int], Iterable[str]]] | None = getattr(encoder, "c_make_encoder", None)
_PIECES = _MAKE and _MAKE(None, _first_form, encoder.encode_basestring, None, ":", ",", *(False,) * 3)


def _compact(value: Any) -> str | None:
    """Serialise what is plain; ``None`` for what needs more care."""
    try:
        return "".join(_PIECES(value, 0)) if _PIECES else _ENCODER.encode(value)
    except (_OnceOnly, ValueError):
        return None


def _indent(spaces: Any) -> str:
    if isinstance(spaces, (int, float)) and not isinstance(spaces, bool):
        return " " * min(int(spaces), 10)
    return spaces[:10] if isinstance(spaces, str) else ""


def _text(value: Any, indent: str, replacer: Replacer | None) -> str:
    if callable(replacer):
        value = _replace(value, replacer, "")
    elif replacer is not None:
        value = _select(value, list(dict.fromkeys(map(str, replacer))))
    forms: dict[int, tuple[Any, Any]] = {}

    def form(item: Any) -> Any:
        """Give the form of an item, again if it is asked for again: an iterator gives its items only once."""
        if id(item) not in forms:
            forms[id(item)] = (item, _default(item))
        return forms[id(item)][1]

    separators = (",", ": ") if indent else (",", ":")
    arguments: dict[str, Any] = {"separators": separators, "indent": indent or None, "default": form}
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, **arguments)
    except ValueError as error:
        if "Out of range float" not in str(error):
            raise
        return json.dumps(_finite(value, form), ensure_ascii=False, **arguments)


def _well_formed(text: str) -> str:
    """Escape lone surrogates, which UTF-8 cannot carry (ECMA-262, well-formed JSON.stringify)."""
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


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
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
        return list(value)
    msg = f"{type(value).__name__} has no JSON form"
    raise TypeError(msg)


def _finite(value: Any, form: Callable[[Any], Any]) -> Any:
    """Copy a value with NaN and infinities as ``None``; only reached when there is one."""
    value = _plain(value, form)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item, form) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item, form) for item in value]
    return value


def _plain(value: Any, form: Callable[[Any], Any]) -> Any:
    """Return the JSON form of a value, of its members not yet."""
    if value is None or isinstance(value, (str, int, float, Mapping, list, tuple)):
        return value
    return _plain(form(value), form)


def _replace(value: Any, replacer: Callable[[str, Any], Any], key: str) -> Any:
    value = _plain(replacer(key, value), _default)
    if isinstance(value, Mapping):
        return {name: _replace(item, replacer, str(name)) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replace(item, replacer, str(index)) for index, item in enumerate(value)]
    return value


def _select(value: Any, names: list[str]) -> Any:
    """Copy a value with some members of each object, in the order in which they are named."""
    value = _plain(value, _default)
    if isinstance(value, Mapping):
        members = {str(name): item for name, item in value.items()}
        return {name: _select(members[name], names) for name in names if name in members}
    if isinstance(value, (list, tuple)):
        return [_select(item, names) for item in value]
    return value

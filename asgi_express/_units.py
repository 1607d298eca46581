"""Durations and sizes as people write them.

The words are those of the npm packages ``ms`` and ``bytes``, which Express uses; the numbers are
not: a duration without a unit is in **seconds** here. What cannot be read with certainty is an
error where it is set, so that no misspelt limit silently becomes a small one or none at all
(CVE-2026-12590, body-parser: ``"1zb"`` switched the limit off).
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from functools import lru_cache

from asgi_express.types import Duration, Size

__all__ = ["parse_bytes", "parse_duration"]

_MINUTE = 60.0
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

_SECONDS = {
    word: seconds
    for words, seconds in (
        ("milliseconds millisecond msecs msec ms", 0.001),
        ("seconds second secs sec s", 1.0),
        ("minutes minute mins min m", _MINUTE),
        ("hours hour hrs hr h", _HOUR),
        ("days day d", _DAY),
        ("weeks week w", 7 * _DAY),
        ("years year yrs yr y", 365.25 * _DAY),
    )
    for word in words.split()
}

_BYTES = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40, "pb": 1 << 50}

# One way to read any text: digits are never split between two repeats, so neither can backtrack far.
_DURATION = re.compile(r"(-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)) *([a-z]*)\Z", re.IGNORECASE)
_SIZE = re.compile(r"\+?([0-9]+(?:\.[0-9]+)?) *([a-z]*)\Z", re.IGNORECASE)

# As in `ms`: longer text is a mistake, and digits without end are slow to convert.
_MAX_TEXT = 100


def parse_duration(value: Duration) -> float:
    """Return a duration in seconds.

    Args:
        value: seconds as a number, a ``timedelta``, or text: a number, with one of the units of
            ``ms`` 2.1 (``ms s m h d w y`` and their long forms, in any case) or without, for seconds.
            ``"15m"``, ``"1.5 hours"``, ``"500ms"``, ``"-1d"``.

    Raises:
        TypeError: the value is none of these.
        ValueError: the text cannot be read, or the number is not finite.
    """
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return _read_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"a duration is a number of seconds, a timedelta or text such as '15m', not {value!r}"
        raise TypeError(msg)
    try:
        seconds = float(value)
    except OverflowError:  # an int beyond what a float holds
        seconds = math.inf
    if not math.isfinite(seconds):
        msg = f"a duration must be finite, not {seconds!r}"
        raise ValueError(msg)
    return seconds


def _read_duration(text: str) -> float:
    match = _DURATION.match(text) if len(text) <= _MAX_TEXT else None
    unit = _SECONDS.get(match[2].lower() or "s") if match else None
    if match is None or unit is None:
        msg = (
            f"invalid duration {text[:_MAX_TEXT]!r}: expected a number and a unit, such as '500ms', '15m', '1.5 hours'"
        )
        raise ValueError(msg)
    return float(match[1]) * unit


def parse_bytes(value: Size) -> int:
    """Return a size in bytes.

    Args:
        value: bytes as an ``int``, or text: a number, with one of the units of ``bytes`` 3.1
            (``b kb mb gb tb pb``, powers of 1024, in any case) or without, for bytes.
            ``"100kb"``, ``"1.5 MB"``. A part of a byte is dropped.

    Raises:
        TypeError: the value is neither.
        ValueError: the text cannot be read, or the size is negative. Express reads ``"1k"`` and
            ``"1kib"`` as 1 byte and ``-1`` as "refuse everything"; here they are errors.
    """
    if isinstance(value, str):
        return _read_bytes(value)
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"a size is a number of bytes or text such as '100kb', not {value!r}"
        raise TypeError(msg)
    if value < 0:
        msg = f"a size must not be negative, not {value!r}"
        raise ValueError(msg)
    return value


@lru_cache(maxsize=128)
def _read_bytes(text: str) -> int:
    match = _SIZE.match(text) if len(text) <= _MAX_TEXT else None
    unit = _BYTES.get(match[2].lower() or "b") if match else None
    if match is None or unit is None:
        msg = f"invalid size {text[:_MAX_TEXT]!r}: expected a number and a unit, such as '512', '100kb', '1.5mb'"
        raise ValueError(msg)
    return math.floor(float(match[1]) * unit)

"""JSON as clients send it: RFC 8259 without Python's extensions, read in steps that let other threads have a turn."""

from __future__ import annotations

import json
import math
import re
from array import array
from itertools import accumulate
from typing import Any

__all__ = ["loads"]

# What is nested deeper could be read, but not be walked over or written again: a frame or two for each level,
# of the 1000 that CPython allows. Releases of CPython differ in what they read; this does not.
_MAX_DEPTH = 200

# As many digits as CPython converts by default (CVE-2020-10735).
_MAX_DIGITS = 4300

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")

_OPENING = frozenset("{[")

# So many brackets are counted without a chance for another thread: 2 ms.
_STRIDE = 32 * 1024

# Only a number with as many digits, or such an exponent, can be too long or infinite; below, no number is looked at.
# Each begins with a set of characters, which is what the search is fast for: both in one took four times as long.
_MANY_DIGITS = re.compile(r"[0-9](?<![0-9][0-9])[0-9]{199}")
_LARGE_EXPONENT = re.compile(r"[eE]\+?[0-9]{3}")


def loads(text: str) -> Any:
    """Return the value of a JSON text. Of members of one name the last counts.

    Raises:
        ValueError: it is no JSON, is nested deeper than 200 levels, or has a number that is infinite or has more
            than 4300 digits.
    """
    if text.count("[") + text.count("{") > _MAX_DEPTH and _depth(text) > _MAX_DEPTH:
        msg = f"the body is nested deeper than {_MAX_DEPTH} levels"
        raise ValueError(msg)
    decoder = _WARY if _MANY_DIGITS.search(text) or _LARGE_EXPONENT.search(text) else _DECODER
    try:
        if text[:1] in _OPENING:  # nearly always, and then there is rarely white space to look for
            value, end = decoder.raw_decode(text)
            return value if end == len(text) else decoder.decode(text)
        return decoder.decode(text)
    except RecursionError:  # who called was deep in the stack already
        msg = "the body is nested too deep"
        raise ValueError(msg) from None


def _depth(text: str) -> int:
    """Return how deep the brackets outside of strings nest."""
    # A regular expression that skips strings took 40 ms for 1 MiB of quotes, this takes 4.
    unescaped = text.encode("utf-8", "replace").replace(b"\\\\", b"").replace(b'\\"', b"")
    steps = b"".join(unescaped.split(b'"')[::2]).translate(_STEPS, _NOT_BRACKETS)
    depth = deepest = 0
    for start in range(0, len(steps), _STRIDE):
        stride = array("b", steps[start : start + _STRIDE])
        deepest = max(deepest, max(accumulate(stride, initial=depth)))
        depth += sum(stride)
    return deepest


def _constant(name: str) -> Any:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        msg = "a number is too large"
        raise ValueError(msg)
    return number


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        msg = f"a number has more than {_MAX_DIGITS} digits"
        raise ValueError(msg)
    return int(digits)


# Made once: json.loads makes a decoder for every call with arguments.
_DECODER = json.JSONDecoder(parse_constant=_constant)
_WARY = json.JSONDecoder(parse_constant=_constant, parse_float=_float, parse_int=_int)

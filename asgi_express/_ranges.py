"""The ``Range`` header: ``range-parser`` 1.3 (which Express uses), RFC 9110 section 14.1."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, TypeAlias

__all__ = ["MALFORMED", "MAX_RANGES", "UNSATISFIABLE", "ByteRange", "RangeResult", "Ranges", "parse_range"]

UNSATISFIABLE: Final = -1
"""No range overlaps the resource: the answer is 416."""

MALFORMED: Final = -2
"""Not a list of ranges: the header is ignored, the answer is the whole resource."""

MAX_RANGES: Final = 100
"""More ranges than this are ignored as a whole (RFC 9110 section 14.2 allows it; CVE-2025-62727)."""

# ASCII digits: int() and \d take those of every script (CVE-2025-69225).
_DIGITS = re.compile(r"[0-9]+\Z")

# What JavaScript's trim() takes off, of the characters that a header can hold.
_SPACE = " \t\n\v\f\r\xa0"

# Positions of more digits lie beyond every resource; int() of thousands of digits is slow, then fails.
_MAX_DIGITS = 18
_BEYOND = 10**_MAX_DIGITS


class ByteRange(NamedTuple):
    """One range, both ends included."""

    start: int
    end: int


class Ranges(list[ByteRange]):
    """The ranges that can be served, in the order of the header.

    Attributes:
        type: the unit as it was written, usually ``"bytes"``.
    """

    __slots__ = ("type",)

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.type = unit


RangeResult: TypeAlias = Ranges | Literal[-1, -2]


def parse_range(size: int, header: str, *, combine: bool = False) -> RangeResult:
    """Return the ranges of a header that a resource of this size has.

    A range that does not overlap the resource is dropped, and so is ``-n`` with ``n`` above the
    size, as in Express (RFC 9110 would serve the whole).

    Args:
        size: the length of the resource, in units of the header's own.
        header: the value of ``Range``.
        combine: whether ranges that overlap or touch become one.

    Returns:
        The ranges, or ``-1`` where none can be satisfied, or ``-2`` where the header is malformed
        or asks for more than `MAX_RANGES`.
    """
    unit, equals, specs = header.partition("=")
    if not equals or specs.count(",") >= MAX_RANGES:
        return MALFORMED
    ranges = Ranges(unit)
    for spec in specs.split(","):
        bounds = _bounds(size, spec)
        if bounds is None:
            return MALFORMED
        if 0 <= bounds.start <= bounds.end:
            ranges.append(bounds)
    if not ranges:
        return UNSATISFIABLE
    return _combine(ranges) if combine else ranges


def _bounds(size: int, spec: str) -> ByteRange | None:
    """Read ``first-last``, ``first-`` or ``-length``; the range may lie outside the resource."""
    first, dash, last = spec.partition("-")
    if not dash:
        return None
    first, last = first.strip(_SPACE), last.strip(_SPACE)
    start, end = _position(first), _position(last)
    if not first:
        return None if end is None else ByteRange(size - end, size - 1)
    if not last:
        end = size - 1
    if start is None or end is None:
        return None
    return ByteRange(start, min(end, size - 1))


def _position(digits: str) -> int | None:
    if not _DIGITS.match(digits):
        return None
    significant = digits.lstrip("0") or "0"
    return _BEYOND if len(significant) > _MAX_DIGITS else int(significant)


def _combine(ranges: Ranges) -> Ranges:
    """Merge what overlaps or touches; a merged range stands where the first that made it longer stood."""
    merged: list[tuple[int, ByteRange]] = []
    for index, item in sorted(enumerate(ranges), key=lambda pair: pair[1].start):
        if not merged or item.start > merged[-1][1].end + 1:
            merged.append((index, item))
        elif item.end > merged[-1][1].end:
            first, current = merged[-1]
            merged[-1] = (min(first, index), ByteRange(current.start, item.end))
    combined = Ranges(ranges.type)
    combined.extend(item for _, item in sorted(merged))
    return combined

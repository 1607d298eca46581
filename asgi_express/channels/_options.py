"""Options of what carries messages, checked."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["above_zero", "at_least_one", "check_prefix"]

N = TypeVar("N", int, float)


def above_zero(option: str, number: N) -> N:
    """Return a number.

    Raises:
        ValueError: it is not above 0.
    """
    if number <= 0:
        msg = f"{option} must be above 0, not {number!r}"
        raise ValueError(msg)
    return number


def at_least_one(option: str, number: int) -> int:
    """Return a number.

    Raises:
        ValueError: it is not an integer of 1 or more.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        msg = f"{option} must be an integer of 1 or more, not {number!r}"
        raise ValueError(msg)
    return number


def check_prefix(what: str, prefix: str) -> str:
    """Return a prefix of keys.

    Raises:
        ValueError: it is no text, or empty.
    """
    if not isinstance(prefix, str) or not prefix:
        msg = f"{what}: prefix must be text that is not empty, not {prefix!r}"
        raise ValueError(msg)
    return prefix

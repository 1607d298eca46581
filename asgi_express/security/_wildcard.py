"""Wildcards: text in which ``*`` stands for any run of characters, the empty one included."""

from __future__ import annotations

__all__ = ["Wildcard"]


class Wildcard:
    """A pattern with ``*``; everything else stands for itself, letter case counts.

    Written by hand: ``fnmatch`` makes a regular expression, and one with several ``*`` backtracks for seconds on text
    that a client chose. Here each part between two ``*`` is looked for once, from left to right.
    """

    __slots__ = ("_parts", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._parts = pattern.split("*")

    def matches(self, text: str) -> bool:
        """Tell whether the whole text fits."""
        first, *middle = self._parts
        if not middle:
            return text == first
        last = middle.pop()
        position, end = len(first), len(text) - len(last)
        if position > end or not text.startswith(first) or not text.endswith(last):
            return False
        for part in middle:
            found = text.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return True

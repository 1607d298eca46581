"""A bounded memory of bodies and what they were compressed to."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Final

__all__ = ["Cache"]

# What an entry takes beside its bytes: the key, the header of the bytes, its place (CPython 3.11: 300).
_OVERHEAD: Final = 512

_PART: Final = 4
"""One entry takes a quarter at most, so that one large file does not drive all others out."""


class Cache:
    """What identical bodies were compressed to; the one that was not asked for longest goes first.

    Its key is the body (SHA-256), not the entity tag: two resources may have the tag ``"1"``, and one would be answered
    with the body of the other. Any thread may use it.

    Args:
        size: bytes that it may take.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = size
        self._entries: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @staticmethod
    def key(coding: str, body: bytes | bytearray | memoryview) -> tuple[str, bytes]:
        """Return the key of a body; 1 ns a byte."""
        return coding, hashlib.sha256(body).digest()

    def get(self, key: tuple[str, bytes]) -> bytes | None:
        """Return what is kept, ``None`` where nothing is."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: tuple[str, bytes], coded: bytes) -> None:
        """Keep a body, unless it is too large."""
        cost = len(coded) + _OVERHEAD
        if cost > self._size // _PART:
            return
        with self._lock:
            self._left -= cost - self._cost(self._entries.pop(key, None))
            self._entries[key] = coded
            while self._left < 0:
                self._left += self._cost(self._entries.popitem(last=False)[1])

    @staticmethod
    def _cost(coded: bytes | None) -> int:
        return 0 if coded is None else len(coded) + _OVERHEAD

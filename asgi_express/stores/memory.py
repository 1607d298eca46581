"""A store in the memory of one process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Literal

from asgi_express.stores._errors import StoreUnavailable
from asgi_express.stores._protocol import check_ttl

__all__ = ["MemoryStore"]

_SPARE = 64

# Keys that are looked at for one that is new: 1 ms. All of 500,000 that expire together would take a second.
_AT_ONCE = 500


class _Entry:
    __slots__ = ("expires", "queued", "value")

    def __init__(self, value: bytes, expires: float) -> None:
        self.value = value
        self.expires = expires
        self.queued = float("inf")


class MemoryStore:
    """Keep values in this process: for one worker, for development and for tests.

    It is bounded. When a new key comes and ``max_entries`` are there, what has expired goes first; then, with
    ``full="evict"``, the key that was used least recently (read, written or touched); with ``full="refuse"`` nothing
    more goes and the new key is refused. ``refuse`` is for state that an attacker must not be able to push out by
    filling the store: limits, revoked tokens. ``evict`` is for what can be made again.

    Nothing runs in the background: what has expired leaves when a new key is written, or when it is asked for. All
    calls come from one event loop (one thread); each is atomic there. It needs no closing.

    Args:
        max_entries: how many keys there may be, expired ones included. The sizes of values are not limited.
        full: what happens when there is no room, ``"evict"`` or ``"refuse"``.
        clock: seconds; must not go backwards.

    Raises:
        ValueError: an option is out of range.
        StoreUnavailable: from ``set`` and ``add``, with ``full="refuse"``, when there is no room.

    Examples::

        store = MemoryStore()

        store = MemoryStore(max_entries=500_000, full="refuse")
    """

    def __init__(
        self,
        *,
        max_entries: int = 10_000,
        full: Literal["evict", "refuse"] = "evict",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(max_entries, bool) or not isinstance(max_entries, int) or max_entries < 1:
            msg = f"MemoryStore: max_entries must be an integer of 1 or more, not {max_entries!r}"
            raise ValueError(msg)
        if full not in ("evict", "refuse"):
            msg = f"MemoryStore: full must be 'evict' or 'refuse', not {full!r}"
            raise ValueError(msg)
        self._max_entries = max_entries
        self._evict = full == "evict"
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # least recently used first
        # When each key may expire, earliest first. A key that lives longer by then is queued again.
        self._queue: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Return how many keys are held, those included that have expired and not left yet."""
        return len(self._entries)

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, ``None`` where there is none or it has expired.

        Example::

            value = await store.get("user:7")
        """
        entry = self._find(key)
        return None if entry is None else entry.value

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """Keep a value for ``ttl`` seconds, whatever there was.

        Raises:
            StoreUnavailable: the key is new and there is no room for it (``full="refuse"``).
            ValueError: ``ttl`` is out of range.

        Example::

            await store.set("user:7", b"ada", ttl=3600)
        """
        self._write(key, value, ttl, self._find(key))

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Keep a value only if the key has none; tell whether it was kept.

        Raises:
            StoreUnavailable: there is no room for it (``full="refuse"``).
            ValueError: ``ttl`` is out of range.

        Example::

            if not await store.add("nonce:abc", b"", ttl=300):
                raise Conflict("it was used before")
        """
        if self._find(key) is not None:
            return False
        self._write(key, value, ttl, None)
        return True

    async def replace(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Keep a value only if the key has one already; tell whether it was kept.

        Raises:
            ValueError: ``ttl`` is out of range.

        Example::

            kept = await store.replace("user:7", b"grace", ttl=3600)
        """
        entry = self._find(key)
        if entry is None:
            return False
        self._write(key, value, ttl, entry)
        return True

    async def touch(self, key: str, *, ttl: float) -> bool:
        """Let a value live ``ttl`` seconds from now; tell whether there is one.

        Raises:
            ValueError: ``ttl`` is out of range.

        Example::

            alive = await store.touch("user:7", ttl=3600)
        """
        entry = self._find(key)
        if entry is None:
            return False
        self._write(key, entry.value, ttl, entry)
        return True

    async def delete(self, key: str) -> None:
        """Forget a key.

        Example::

            await store.delete("user:7")
        """
        self._entries.pop(key, None)

    async def aclose(self) -> None:
        """Do nothing: the values stay as long as the store does.

        Example::

            await store.aclose()
        """

    def _find(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires <= self._clock():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry

    def _write(self, key: str, value: bytes, ttl: float, entry: _Entry | None) -> None:
        now = self._clock()
        expires = now + check_ttl(ttl)
        if entry is None:
            self._make_room(now)
            entry = self._entries[key] = _Entry(bytes(value), expires)
        else:
            entry.value, entry.expires = bytes(value), expires
        if expires < entry.queued:
            entry.queued = expires
            heappush(self._queue, (expires, key))
        if len(self._queue) > 2 * len(self._entries) + _SPARE:
            self._rebuild_queue()

    def _make_room(self, now: float) -> None:
        self._purge(now)
        while len(self._entries) >= self._max_entries and self._is_due(now):
            self._purge(now)
        if len(self._entries) < self._max_entries:
            return
        if not self._evict:
            msg = f"MemoryStore is full: {self._max_entries} entries (max_entries), none of them expired"
            raise StoreUnavailable(msg)
        self._entries.popitem(last=False)

    def _is_due(self, now: float) -> bool:
        return bool(self._queue) and self._queue[0][0] <= now

    def _purge(self, now: float) -> None:
        """Let go what has expired, so much of it that nobody waits: O(log n) for each key."""
        for _ in range(_AT_ONCE):
            if not self._is_due(now):
                return
            _, key = heappop(self._queue)
            entry = self._entries.get(key)
            if entry is None:
                continue
            if entry.expires <= now:
                del self._entries[key]
            else:
                entry.queued = entry.expires
                heappush(self._queue, (entry.expires, key))

    def _rebuild_queue(self) -> None:
        """Forget what is queued for keys that are gone."""
        for entry in self._entries.values():
            entry.queued = entry.expires
        self._queue = [(entry.expires, key) for key, entry in self._entries.items()]
        heapify(self._queue)

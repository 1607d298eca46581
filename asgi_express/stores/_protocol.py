"""The store protocol: what sessions, limits and tokens ask of the place where they are kept."""

from __future__ import annotations

import math
from typing import Protocol

__all__ = ["Store", "check_store", "check_ttl"]

_LONGEST = 100 * 365.25 * 86400.0


class Store(Protocol):
    """Keys to bytes, for a time. Every method raises ``StoreUnavailable`` where the store cannot answer.

    Keys are text; those of one program are kept apart by the store (``RedisStore(prefix=...)``), those of one part
    of it by that part (``"session:..."``). Each method is atomic. ``ttl`` is in seconds, above 0.
    """

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, ``None`` where there is none.

        Example::

            value = await store.get("user:7")
        """

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """Keep a value, whatever there was.

        Example::

            await store.set("user:7", b"ada", ttl=3600)
        """

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Keep a value only if the key has none; tell whether it was kept.

        Example::

            if not await store.add("nonce:abc", b"", ttl=300):
                raise Conflict("it was used before")
        """
        ...

    async def replace(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Keep a value only if the key has one already; tell whether it was kept. What was deleted stays so.

        Example::

            kept = await store.replace("user:7", b"grace", ttl=3600)
        """
        ...

    async def touch(self, key: str, *, ttl: float) -> bool:
        """Let a value live ``ttl`` seconds from now; tell whether there is one.

        Example::

            alive = await store.touch("user:7", ttl=3600)
        """
        ...

    async def delete(self, key: str) -> None:
        """Forget a key; nothing happens where there is none.

        Example::

            await store.delete("user:7")
        """

    async def aclose(self) -> None:
        """Give back what the store holds open.

        Example::

            await store.aclose()
        """


def check_store(owner: str, store: object) -> None:
    """See that a store is one: a URL would fail with the first request.

    Args:
        owner: who asks for it, for the words of the error.
        store: what was given; not shown, as a URL may have a password.

    Raises:
        TypeError: it is of a type that has no values to get.
    """
    kind = type(store)
    if not callable(getattr(kind, "get", None)) and not hasattr(kind, "__getattr__"):  # as a proxy has
        msg = f"{owner}: store must be a MemoryStore, a RedisStore or the like, not a {type(store).__name__}"
        raise TypeError(msg)


def check_ttl(ttl: float) -> float:
    """Return a time to live in seconds.

    Raises:
        ValueError: it is not a number above 0, or more than 100 years.
    """
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or math.isnan(ttl) or not 0 < ttl <= _LONGEST:
        msg = f"ttl must be seconds above 0, 100 years at most, not {ttl!r}"
        raise ValueError(msg)
    return float(ttl)

"""A store in Redis, for many processes."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from asgi_express._units import parse_duration
from asgi_express.stores._breaker import Breaker
from asgi_express.stores._protocol import check_ttl
from asgi_express.types import Duration

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from asgi_express.stores._redis_link import Link

__all__ = ["RedisStore"]


class RedisStore:
    """Keep values in Redis (or Valkey), with a deadline for every call.

    A call waits ``timeout`` at most: for a free connection, for opening one, and for the reply; a reply that was there
    in time counts, however busy the event loop was. After ``break_after`` failures in a row no call goes out; a task in
    the background asks every ``probe_every`` until Redis is back, and nobody waits for it. Either way the caller gets
    ``StoreUnavailable``, and a log line tells of the first and the last. A call that was given up, or
    cancelled, closes its connection: no other caller ever reads its reply. What it had sent may still be done by the
    server. Only what may be done twice (``get set replace touch delete``) is sent a second time, once, where a
    connection that was kept open turns out to be dead.

    Nothing connects before the first call. Every event loop gets connections of its own: close them with ``aclose()``
    before the loop ends. asyncio only; one Redis or a Sentinel pool, not Redis Cluster.

    Args:
        server: a URL (``redis://``, ``rediss://``, ``unix://``), or a ``redis.asyncio.Redis`` whose settings are taken
            over (its connections, retries and timeouts are not used, and closing it is up to you).
        prefix: what every key begins with, to keep programs apart.
        timeout: the deadline of one call. It has to be long enough to open a connection, too.
        max_connections: for each event loop. Ten carry thousands of calls a second; more take longer to open at once.
        break_after: how many failures in a row make it stop asking.
        probe_every: how often the background asks whether it is back; more often at first.

    Raises:
        ImportError: redis-py is not installed.
        TypeError: ``server`` is neither.
        ValueError: an option is out of range, or the URL cannot be read.

    Examples::

        store = RedisStore("redis://localhost:6379/0")

        store = RedisStore("unix:///run/redis.sock", prefix="shop:", timeout="20ms", max_connections=20)
    """

    def __init__(
        self,
        server: str | Redis,
        *,
        prefix: str = "asgi_express:",
        timeout: Duration = 0.05,
        max_connections: int = 10,
        break_after: int = 5,
        probe_every: Duration = 0.5,
    ) -> None:
        try:
            from asgi_express.stores import _redis_link
        except ImportError as error:
            msg = "RedisStore needs redis-py: pip install 'asgi-express[redis]'"
            raise ImportError(msg) from error
        seconds = _above_zero("timeout", parse_duration(timeout))
        make = _redis_link.connection_maker(server)
        limit = _at_least_one("max_connections", max_connections)
        interval = _above_zero("probe_every", parse_duration(probe_every))
        breaker = Breaker(failures=_at_least_one("break_after", break_after))
        self.prefix = prefix

        def new_link() -> Link:
            return _redis_link.Link(make, limit=limit, timeout=seconds, probe_every=interval, breaker=breaker)

        self._new_link = new_link
        self._links: dict[asyncio.AbstractEventLoop, Link] = {}

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, ``None`` where there is none.

        Raises:
            StoreUnavailable: Redis did not answer in time, or refused.

        Example::

            value = await store.get("user:7")
        """
        value: bytes | None = await self.execute("GET", self.prefix + key, idempotent=True)
        return value

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """Keep a value for ``ttl`` seconds, whatever there was.

        Raises:
            StoreUnavailable: Redis did not answer in time, or refused.
            ValueError: ``ttl`` is out of range.

        Example::

            await store.set("user:7", b"ada", ttl=3600)
        """
        await self.execute("SET", self.prefix + key, value, "PX", _milliseconds(ttl), idempotent=True)

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Keep a value only if the key has none; tell whether it was kept.

        Raises:
            StoreUnavailable: Redis did not answer in time, or refused. The value may have been kept all the same.
            ValueError: ``ttl`` is out of range.

        Example::

            if not await store.add("nonce:abc", b"", ttl=300):
                raise Conflict("it was used before")
        """
        return bool(await self.execute("SET", self.prefix + key, value, "PX", _milliseconds(ttl), "NX"))

    async def replace(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Keep a value only if the key has one already; tell whether it was kept.

        Raises:
            StoreUnavailable: Redis did not answer in time, or refused.
            ValueError: ``ttl`` is out of range.

        Example::

            kept = await store.replace("user:7", b"grace", ttl=3600)
        """
        command = ("SET", self.prefix + key, value, "PX", _milliseconds(ttl), "XX")
        return bool(await self.execute(*command, idempotent=True))

    async def touch(self, key: str, *, ttl: float) -> bool:
        """Let a value live ``ttl`` seconds from now; tell whether there is one.

        Raises:
            StoreUnavailable: Redis did not answer in time, or refused.
            ValueError: ``ttl`` is out of range.

        Example::

            alive = await store.touch("user:7", ttl=3600)
        """
        return bool(await self.execute("PEXPIRE", self.prefix + key, _milliseconds(ttl), idempotent=True))

    async def delete(self, key: str) -> None:
        """Forget a key.

        Raises:
            StoreUnavailable: Redis did not answer in time, or refused.

        Example::

            await store.delete("user:7")
        """
        await self.execute("DEL", self.prefix + key, idempotent=True)

    async def execute(self, *command: bytes | str | int | float, idempotent: bool = False) -> Any:
        """Send any command, with the same deadline and breaker; keys get no prefix.

        Args:
            *command: the command and its arguments.
            idempotent: whether it may be sent again on a new connection where a kept one turns out to be dead.

        Returns:
            The reply as the protocol has it: bytes, numbers, lists, ``None``.

        Raises:
            StoreUnavailable: Redis did not answer in time, or refused (a ``ResponseError`` is the ``__cause__``).

        Example::

            visits = await store.execute("INCR", "visits")
        """
        return await self._link().call(command, idempotent=idempotent)

    async def aclose(self) -> None:
        """Close the connections of this event loop. Another call opens new ones.

        Example::

            await store.aclose()
        """
        link = self._links.pop(asyncio.get_running_loop(), None)
        if link is not None:
            await link.aclose()

    def _link(self) -> Link:
        loop = asyncio.get_running_loop()
        link = self._links.get(loop)
        if link is None:
            for other in list(self._links):
                if other.is_closed():
                    self._links.pop(other, None)
            link = self._links[loop] = self._new_link()
        return link


def _milliseconds(ttl: float) -> int:
    return math.ceil(check_ttl(ttl) * 1000)


def _above_zero(option: str, seconds: float) -> float:
    if seconds <= 0:
        msg = f"RedisStore: {option} must be above 0, not {seconds!r}"
        raise ValueError(msg)
    return seconds


def _at_least_one(option: str, number: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        msg = f"RedisStore: {option} must be an integer of 1 or more, not {number!r}"
        raise ValueError(msg)
    return number

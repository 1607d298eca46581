"""Commands to Redis from one event loop: a deadline for each, and connections that are never out of step.

Built on the connections of redis-py, not on its client: with the client's defaults one call to a frozen server blocked
for 58 s and was sent again meanwhile (redis-py 8.1). Here one deadline is over all of a call, and a connection is used
again only after a whole reply; whatever else happens, it is closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from asgi_express.stores._breaker import Breaker
from asgi_express.stores._deadline import Deadline
from asgi_express.stores._errors import StoreUnavailable

__all__ = ["Link", "connection_maker"]

_log = logging.getLogger("asgi_express.stores")


class _Connection(Protocol):
    """What is used of redis-py's connections."""

    retry: Retry
    _reader: asyncio.StreamReader | None  # no public name tells of an end without reading

    async def connect(self) -> None: ...
    async def send_command(self, *args: Any) -> None: ...
    async def read_response(self, *, disable_decoding: bool) -> Any: ...
    async def disconnect(self, *, nowait: bool) -> None: ...


def connection_maker(server: str | Redis) -> Callable[[], _Connection]:
    """Return what makes connections as a URL or a client says; they try each thing once.

    Raises:
        TypeError: it is neither.
        ValueError: the URL cannot be read.
    """
    if isinstance(server, str):
        pool: Any = ConnectionPool.from_url(server, socket_timeout=None, socket_connect_timeout=None)
    elif isinstance(server, Redis):
        pool = server.connection_pool
    else:
        msg = f"RedisStore: the server must be a URL or a redis.asyncio.Redis, not {type(server).__name__}"
        raise TypeError(msg)

    def make() -> _Connection:
        connection: _Connection = pool.make_connection()
        connection.retry = Retry(NoBackoff(), 0)
        return connection

    return make


class Link:
    """The connections of one event loop.

    Args:
        make: makes a connection that is not open yet.
        limit: how many there may be; who finds none free waits, as long as the deadline lets him.
        timeout: the deadline of a call in seconds: waiting for a connection, opening it, sending, reading.
        probe_every: seconds between two probes of a server that is away; the first ones come sooner.
        breaker: shared with the links of other loops.
    """

    def __init__(
        self,
        make: Callable[[], _Connection],
        *,
        limit: int,
        timeout: float,
        probe_every: float,
        breaker: Breaker,
    ) -> None:
        self._make = make
        self._timeout = timeout
        self._probe_every = probe_every
        self._breaker = breaker
        self._slots = asyncio.Semaphore(limit)
        self._idle: list[_Connection] = []
        self._prober: asyncio.Task[None] | None = None
        self._closed = False

    async def call(self, command: tuple[Any, ...], *, idempotent: bool) -> Any:
        """Send a command and return the reply, as the protocol has it: bytes, numbers, lists, ``None``.

        Raises:
            StoreUnavailable: no reply in time, or an error as the reply.
        """
        if self._breaker.is_open:
            self._probe()
            msg = "Redis is unavailable: the last calls failed, so that it is only tried once in a while"
            raise StoreUnavailable(msg)
        reply = await self._call(command, idempotent=idempotent)
        if isinstance(reply, ResponseError):
            msg = f"Redis refused {command[0]}: {reply}"
            raise StoreUnavailable(msg) from reply
        return reply

    async def _call(self, command: tuple[Any, ...], *, idempotent: bool) -> Any:
        try:
            async with Deadline(self._timeout):
                reply = await self._exchange(command, idempotent=idempotent)
        except (RedisError, OSError) as error:
            if self._breaker.failed():
                _log.warning("Redis is unavailable: %s: %s", type(error).__name__, error)
                self._probe()
                # Nobody knows which of them still lead anywhere.
                await self.close_idle()
            reason = "did not answer in time" if isinstance(error, TimeoutError) else f"failed: {error}"
            msg = f"Redis: {command[0]} {reason}"
            raise StoreUnavailable(msg) from error
        if self._breaker.succeeded():
            _log.warning("Redis is available again")
        return reply

    def _probe(self) -> None:
        """See to it that somebody finds out when the server is back; no request ever waits for that."""
        if not self._closed and (self._prober is None or self._prober.done()):
            self._prober = asyncio.get_running_loop().create_task(self._ask_until_it_answers())

    async def _ask_until_it_answers(self) -> None:
        pause = self._probe_every / 16  # a restart is a matter of milliseconds, and so many calls may have failed
        while self._breaker.is_open:
            try:
                await self._call(("PING",), idempotent=True)
            except StoreUnavailable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._probe_every)

    async def _exchange(self, command: tuple[Any, ...], *, idempotent: bool) -> Any:
        async with self._slots:
            kept = await self._kept()
            if kept is not None:
                try:
                    return await self._talk(kept, command)
                except ConnectionLost:
                    # The server has restarted, most likely: the other idle connections are as dead as this one.
                    await self.close_idle()
                    if not idempotent:
                        raise
            return await self._talk(self._make(), command)

    async def _kept(self) -> _Connection | None:
        """Return an idle connection that the server has not closed, as far as this loop has heard."""
        while self._idle:
            connection = self._idle.pop()
            if connection._reader is not None and not connection._reader.at_eof():
                return connection
            await connection.disconnect(nowait=True)
        return None

    async def _talk(self, connection: _Connection, command: tuple[Any, ...]) -> Any:
        try:
            await connection.connect()
            await connection.send_command(*command)
            reply = await self._read(connection)
        except BaseException:  # cancelled ones too: a reply that nobody read would be the next caller's
            await connection.disconnect(nowait=True)
            raise
        if self._closed:
            await connection.disconnect(nowait=True)
        else:
            self._idle.append(connection)
        return reply

    async def _read(self, connection: _Connection) -> Any:
        try:
            return await connection.read_response(disable_decoding=True)
        except ReadOnlyError:
            raise  # a master that became a replica: the next connection shall look for the new one
        except ResponseError as error:
            return error

    async def close_idle(self) -> None:
        """Close the connections that nobody uses."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)

    async def aclose(self) -> None:
        """Close the connections; those in use, when their reply is there."""
        self._closed = True
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.wait([self._prober])
        await self.close_idle()
        await asyncio.sleep(0)  # the transports close in the next turn of the loop

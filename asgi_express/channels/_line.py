"""One connection to Redis that listens, and is opened again whenever it breaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from asgi_express.stores import StoreUnavailable

__all__ = ["Line", "Talk", "read"]

_log = logging.getLogger("asgi_express.channels")

# Seconds until it is opened again: at first, and at most.
_SOON, _LATE = 0.05, 2.0

Talk = Callable[[Any, Callable[[], None]], Awaitable[None]]
"""Speaks on an open connection until that breaks; says with the second argument that it listens."""


class Line:
    """A connection of its own, as commands that wait for a message would hold up the others.

    Args:
        server: a URL or a client.
        timeout: seconds that opening one may take.
    """

    def __init__(self, server: str | Redis, timeout: float) -> None:
        # no deadline of redis-py's: whoever speaks has his own
        made = server if isinstance(server, Redis) else ConnectionPool.from_url(server, socket_timeout=None)
        self._pool: Any = made.connection_pool if isinstance(made, Redis) else made
        self._timeout = timeout

    @asynccontextmanager
    async def open(self, talk: Talk) -> AsyncIterator[None]:
        """Speak in the background, from when the first connection listens until the block ends.

        Raises:
            StoreUnavailable: the first connection could not be opened.
        """
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        speaking = asyncio.ensure_future(self._speak(talk, ready))
        try:
            await ready
            yield
        finally:
            speaking.cancel()
            await asyncio.wait([speaking])

    async def _speak(self, talk: Talk, ready: asyncio.Future[None]) -> None:
        pause, broken = _SOON, False

        def listening() -> None:
            nonlocal pause, broken
            if broken:
                _log.warning("the channels are connected to Redis again; what was said meanwhile is not made up for")
            pause, broken = _SOON, False
            if not ready.done():
                ready.set_result(None)

        while True:
            try:
                await self._once(talk, listening)
            except (RedisError, OSError, StoreUnavailable) as error:
                if not ready.done():
                    msg = f"the channels cannot be connected to Redis: {error!r}"
                    ready.set_exception(StoreUnavailable(msg))
                    return
                level = logging.DEBUG if broken else logging.WARNING  # once is enough
                _log.log(level, "the channels lost Redis: %s: %s", type(error).__name__, error)
                broken = True
            except Exception:
                # A fault of ours must not end the listening in silence.
                _log.exception("the channels failed while listening; they begin anew")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LATE)

    async def _once(self, talk: Talk, listening: Callable[[], None]) -> None:
        connection = self._pool.make_connection()
        connection.retry = Retry(NoBackoff(), 0)
        try:
            async with asyncio.timeout(self._timeout):
                await connection.connect()
            await talk(connection, listening)
        finally:
            await connection.disconnect(nowait=True)


async def read(connection: Any, **options: Any) -> Any:
    """Read a reply, and be cancelled where that was asked for.

    redis-py sends with ``asyncio.wait_for`` where a client has a timeout, and that of CPython 3.11 loses a cancellation
    that comes when it is done: one in ten, and the task that was to end went on.
    """
    reply = await connection.read_response(disable_decoding=True, **options)
    _check_cancelled()
    return reply


def _check_cancelled() -> None:
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError

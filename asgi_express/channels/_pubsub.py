"""Channels between processes over Redis's pub/sub: every process hears everything, as long as it listens."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from asgi_express._units import parse_bytes, parse_duration
from asgi_express.channels._options import above_zero, at_least_one, check_prefix
from asgi_express.channels._wire import Deliver, Message
from asgi_express.stores import RedisStore
from asgi_express.types import Duration, Size

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["PubSub"]

_log = logging.getLogger("asgi_express.channels")


class PubSub:
    """Every process gets every message, at most once: what is published while one is away, it does not get.

    ``publish`` calls the subscribers of its own process itself and returns their results. The others call theirs, one
    message after the other.

    Args:
        server: a URL (``redis://``, ``rediss://``, ``unix://``) or a ``redis.asyncio.Redis``.
        prefix: what keeps programs apart; processes with the same one hear one another.
        timeout: the deadline of one command, and of connecting.
        ping_every: how long a silent connection is trusted; one that does not answer then is opened again.
        max_message: the longest message.
        max_pending: messages that wait for their subscribers; a process that is slower than that drops what comes
            then, and says so in the log.

    Attributes:
        dropped: how many messages this process was too slow for.

    Raises:
        ImportError: redis-py is not installed.
        TypeError: an option is of another kind.
        ValueError: an option is out of range, or the URL cannot be read.

    Example::

        channels = Channels(bus=PubSub("redis://localhost:6379/0", prefix="shop"))
        seen = []
        channels.subscribe("price", seen.append)
        async with channels:
            await channels.publish("price:apple", 42)
        seen  # -> [42]
    """

    fan_out = True

    def __init__(
        self,
        server: str | Redis,
        *,
        prefix: str = "asgi_express",
        timeout: Duration = 1.0,
        ping_every: Duration = 15,
        max_message: Size = "1mb",
        max_pending: int = 10_000,
    ) -> None:
        seconds = above_zero("PubSub: timeout", parse_duration(timeout))
        self._store = RedisStore(server, timeout=seconds)
        from asgi_express.channels._line import Line, read

        self._line, self._read = Line(server, seconds), read
        self._key = f"{check_prefix('PubSub', prefix)}:channels"
        self._ping_every = above_zero("PubSub: ping_every", parse_duration(ping_every))
        self._max_message = above_zero("PubSub: max_message", parse_bytes(max_message))
        self._max_pending = at_least_one("PubSub: max_pending", max_pending)
        self._node = secrets.token_hex(8)
        self.dropped = 0

    async def send(self, message: Message) -> None:
        """Send a message to the other processes. Not for programs."""
        text = message.dump(node=self._node)
        if len(text) > self._max_message:
            msg = f"the message has {len(text)} bytes, {self._max_message} are allowed; see max_message"
            raise ValueError(msg)
        await self._store.execute("PUBLISH", self._key, text)

    @asynccontextmanager
    async def running(self, deliver: Deliver) -> AsyncIterator[None]:
        """Deliver what others send, until the block ends. Not for programs."""
        waiting: asyncio.Queue[bytes] = asyncio.Queue(self._max_pending)

        async def listen(connection: Any, listening: Callable[[], None]) -> None:
            await self._listen(connection, listening, waiting)

        delivering = asyncio.ensure_future(self._deliver_all(waiting, deliver))
        try:
            async with self._line.open(listen):
                yield
        finally:
            delivering.cancel()
            await asyncio.wait([delivering])
            await self._store.aclose()

    async def _listen(self, connection: Any, listening: Callable[[], None], waiting: asyncio.Queue[bytes]) -> None:
        await connection.send_command("SUBSCRIBE", self._key)
        asked = False
        while True:
            reply = await self._read(connection, timeout=self._ping_every, push_request=True)
            self._hear(reply, listening, waiting)
            asked = await self._ask(connection, silent=reply is None, asked=asked)

    def _hear(self, reply: Any, listening: Callable[[], None], waiting: asyncio.Queue[bytes]) -> None:
        match reply:
            case [b"subscribe", *_]:
                listening()
            case [b"message", _, text]:
                self._take(text, waiting)

    async def _ask(self, connection: Any, *, silent: bool, asked: bool) -> bool:
        """Ask a silent server whether it is there; tell whether it was asked."""
        if silent and asked:
            msg = f"Redis said nothing for {2 * self._ping_every:g} seconds"
            raise TimeoutError(msg)
        if silent:
            await connection.send_command("PING")
        return silent

    def _take(self, text: bytes, waiting: asyncio.Queue[bytes]) -> None:
        with suppress(asyncio.QueueFull):
            waiting.put_nowait(text)
            return
        if not self.dropped:
            _log.error("messages of channels are dropped: %d wait for subscribers already", self._max_pending)
        self.dropped += 1

    async def _deliver_all(self, waiting: asyncio.Queue[bytes], deliver: Deliver) -> None:
        while True:
            try:
                message, envelope = Message.load(await waiting.get())
            except ValueError as error:
                _log.error("something else than channels publishes on %r: %s", self._key, error)
                continue
            if envelope.get("node") != self._node:
                await deliver(message)

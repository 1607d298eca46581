"""Channels between processes over a stream of Redis: a message is there until each service has done with it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgi_express._units import parse_bytes, parse_duration
from asgi_express.channels._names import written
from asgi_express.channels._options import above_zero, at_least_one, check_prefix
from asgi_express.channels._stream_scripts import ADD, BURY, LEAVE
from asgi_express.channels._wire import Deliver, Message
from asgi_express.stores import RedisStore, StoreUnavailable
from asgi_express.types import Duration, Size

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["BacklogFull", "DeadLetter", "Streams"]

_log = logging.getLogger("asgi_express.channels")

# Seconds that one reading waits for entries.
_BLOCK = 5.0

# A consumer that was silent for so many times `claim_after`, and has nothing to do, is forgotten.
_GONE = 10

# How much is kept of what went wrong with a message.
_MAX_ERROR = 2000


class BacklogFull(StoreUnavailable):
    """The stream has as many messages as it may, and a group is not done with them. The message says which."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up.

    Attributes:
        id: its id in the stream.
        group: the service that gave it up.
        channel: the channel that it was published on.
        data: what was published, as JSON has it; the whole text where that is no message.
        error: what went wrong at last.
    """

    id: str
    group: str
    channel: str
    data: Any
    error: str


class Streams:
    """Every group of processes gets every message, at least once, also if it was away when that was published.

    ``publish`` only puts it into the stream, and returns its ``id``. One process of each group takes it; when all its
    subscribers have returned, it is done with. If one of them raised, or the process died, it comes again, to any
    process of the group, after ``claim_after``; after so many ``attempts`` it is put aside (``dead()``). A message
    that comes again is given to all its subscribers again: they had better do nothing the second time
    (``delivery.id`` is the same).

    Args:
        server: a URL (``redis://``, ``rediss://``, ``unix://``) or a ``redis.asyncio.Redis``.
        group: the name of the service, the same in all its processes; ``None`` for one that only publishes.
        prefix: what keeps programs apart.
        timeout: the deadline of one command, and of connecting.
        attempts: how often a message is tried.
        claim_after: how long a process may be silent until others take over what it had begun. One that works says
            so meanwhile, however long it works.
        max_backlog: how many messages the stream holds. Where it is full of messages that a group has not done with,
            publishing is refused: nothing is thrown away.
        max_message: the longest message.
        max_dead: how many messages are kept of those that were given up; beyond, the oldest goes.

    Raises:
        ImportError: redis-py is not installed.
        TypeError: an option is of another kind.
        ValueError: an option is out of range, or the URL cannot be read.

    Example::

        channels = Channels(bus=Streams("redis://localhost:6379/0", group="mailer", attempts=3))
        sent = asyncio.Event()
        channels.subscribe("mail", lambda mail: sent.set())
        async with channels:
            await channels.publish("mail:welcome", {"to": "ada@example.com"})
            await sent.wait()
    """

    fan_out = False

    def __init__(
        self,
        server: str | Redis,
        *,
        group: str | None,
        prefix: str = "asgi_express",
        timeout: Duration = 1.0,
        attempts: int = 5,
        claim_after: Duration = 30,
        max_backlog: int = 100_000,
        max_message: Size = "1mb",
        max_dead: int = 1000,
    ) -> None:
        if group is not None and (not isinstance(group, str) or not group):
            msg = f"Streams: group must be text that is not empty, or None, not {group!r}"
            raise ValueError(msg)
        seconds = above_zero("Streams: timeout", parse_duration(timeout))
        self._store = RedisStore(server, timeout=seconds)
        from asgi_express.channels._line import Line, read

        self._line, self._read = Line(server, seconds), read
        self._timeout = seconds
        self._group = group or ""
        self._stream = f"{check_prefix('Streams', prefix)}:stream"
        self._dead = f"{prefix}:dead"
        self._attempts = at_least_one("Streams: attempts", attempts)
        self._claim_after = above_zero("Streams: claim_after", parse_duration(claim_after))
        self._max_backlog = at_least_one("Streams: max_backlog", max_backlog)
        self._max_message = above_zero("Streams: max_message", parse_bytes(max_message))
        self._max_dead = at_least_one("Streams: max_dead", max_dead)
        self._consumer = secrets.token_hex(8)

    async def send(self, message: Message) -> str:
        """Put a message into the stream, and return its id. Not for programs."""
        text = message.dump()
        if len(text) > self._max_message:
            msg = f"the message has {len(text)} bytes, {self._max_message} are allowed; see max_message"
            raise ValueError(msg)
        state, word = await self._store.execute("EVAL", ADD, 1, self._stream, self._max_backlog, text)
        if state == b"full":
            who = f"the group {word.decode()!r} has not done with them" if word else "no group reads it"
            msg = f"the stream {self._stream!r} is full with {self._max_backlog} messages: {who}"
            raise BacklogFull(msg)
        found: str = word.decode()
        return found

    async def dead(self, limit: int = 100) -> list[DeadLetter]:
        """Return the last messages that were given up, the newest first.

        Raises:
            StoreUnavailable: Redis did not answer in time, or refused.

        Example::

            for letter in await bus.dead():
                print(letter.channel, letter.error)
        """
        letters = []
        for _, fields in await self._store.execute("XREVRANGE", self._dead, "+", "-", "COUNT", limit, idempotent=True):
            known = _pairs(fields)
            channel, data = "", known[b"message"].decode(errors="replace")
            try:
                message, _ = Message.load(known[b"message"])
                channel, data = written(message.path), message.data
            except ValueError:
                _log.debug("a message that was given up cannot be read: it is shown as it is")
            letters.append(
                DeadLetter(known[b"id"].decode(), known[b"group"].decode(), channel, data, known[b"error"].decode())
            )
        return letters

    @asynccontextmanager
    async def running(self, deliver: Deliver) -> AsyncIterator[None]:
        """Deliver what the group gives this process, until the block ends. Not for programs."""

        async def read(connection: Any, listening: Callable[[], None]) -> None:
            await self._join()
            listening()
            while True:
                # One at a time: Redis counts as tried what was read, and what waits here others could do.
                entry = await self._left_behind() or await self._next(connection)
                if entry is not None:
                    await self._work(*entry, deliver)

        try:
            if not self._group:
                yield
                return
            async with self._line.open(read):
                yield
            await self._leave()
        finally:
            await self._store.aclose()

    async def _join(self) -> None:
        try:
            # From the beginning: what was published before the first process of the group started is for it, too.
            await self._store.execute("XGROUP", "CREATE", self._stream, self._group, "0", "MKSTREAM")
        except StoreUnavailable as error:
            if not str(error.__cause__).startswith("BUSYGROUP"):
                raise

    async def _leave(self) -> None:
        gone = round(self._claim_after * 1000) * _GONE
        try:
            await self._store.execute("EVAL", LEAVE, 1, self._stream, self._group, self._consumer, gone)
        except StoreUnavailable as error:
            _log.warning("a consumer could not be taken off the stream %r: %s", self._stream, error)

    async def _left_behind(self) -> tuple[bytes, Any, int] | None:
        """Take over an entry that nobody works on any more, one that failed here included."""
        idle = round(self._claim_after * 1000)
        key, group = self._stream, self._group
        start = b"0-0"
        while True:  # each time Redis looks at ten entries
            command = ("XAUTOCLAIM", key, group, self._consumer, idle, start, "COUNT", 1)
            start, claimed, *_ = await self._store.execute(*command)
            if claimed:
                number, fields = claimed[0]
                pending = await self._store.execute("XPENDING", key, group, number, number, 1, idempotent=True)
                return number, fields, pending[0][3] if pending else 1
            if start == b"0-0":
                return None

    async def _next(self, connection: Any) -> tuple[bytes, Any, int] | None:
        """Wait for an entry that no process of the group has seen."""
        wait = min(_BLOCK, self._claim_after / 2)
        who = ("GROUP", self._group, self._consumer)
        limits = ("COUNT", 1, "BLOCK", round(wait * 1000) or 1)  # BLOCK 0 would be for ever
        await connection.send_command("XREADGROUP", *who, *limits, "STREAMS", self._stream, ">")
        async with asyncio.timeout(wait + self._timeout):
            reply = await self._read(connection)
        if not reply:
            return None
        # a list of pairs in RESP2, a mapping in RESP3
        ((_, entries),) = reply.items() if isinstance(reply, dict) else reply
        ((number, fields),) = entries
        return number, fields, 1

    async def _work(self, number: bytes, fields: Any, attempt: int, deliver: Deliver) -> None:
        keeping = asyncio.ensure_future(self._keep(number))
        is_done = False
        try:
            await self._handle(number, fields, attempt, deliver)
            is_done = True
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            if not is_done:
                # Let others have it at once.
                await self._touch(number, idle=round(self._claim_after * 1000))

    async def _handle(self, number: bytes, fields: Any, attempt: int, deliver: Deliver) -> None:
        text = _pairs(fields).get(b"message", b"")
        if attempt > self._attempts:
            await self._bury(number, text, f"no process got to its end in {self._attempts} attempts")
            return
        try:
            message, _ = Message.load(text, id=number.decode(), attempt=attempt)
        except ValueError as error:
            await self._bury(number, text, str(error))
            return
        failure = await deliver(message)
        if failure is None:
            await self._store.execute("XACK", self._stream, self._group, number, idempotent=True)
        elif attempt >= self._attempts:
            await self._bury(number, text, _words(failure))

    async def _bury(self, number: bytes, text: bytes, error: str) -> None:
        _log.error("message %s of %r was given up: %s", number.decode(), self._stream, error)
        keys = (2, self._stream, self._dead)
        what = (self._group, number, text, error.encode(errors="replace")[:_MAX_ERROR])
        await self._store.execute("EVAL", BURY, *keys, self._max_dead, *what)

    async def _keep(self, number: bytes) -> None:
        """Say now and then that an entry is being worked on."""
        while True:
            await asyncio.sleep(self._claim_after / 3)
            await self._touch(number, idle=0)

    async def _touch(self, number: bytes, *, idle: int) -> None:
        key, group = self._stream, self._group
        try:
            await self._store.execute("XCLAIM", key, group, self._consumer, 0, number, "IDLE", idle, "JUSTID")
        except StoreUnavailable as error:
            # Then they are taken over later, or sooner: a second time at worst, which was promised.
            _log.warning("the stream %r could not be told what is being worked on: %s", self._stream, error)


def _words(failure: Exception) -> str:
    errors = failure.exceptions if isinstance(failure, ExceptionGroup) else (failure,)
    return "; ".join(f"{type(error).__name__}: {error}" for error in errors)


def _pairs(fields: Any) -> dict[bytes, bytes]:
    """Return the fields of an entry, which come as a flat list."""
    return dict(fields) if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))

"""What the client still sends: the body of a request and the news that the client is gone.

One reader takes messages from ``receive`` at a time, whoever asks; a body that was read once is kept
and can be read again, by the next handler or by an ASGI app behind it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from asgi_express.errors import BodyError, ClientDisconnect, MisuseError
from asgi_express.types import Message, Receive

__all__ = ["Inbox"]

# How much body a look or a watch for the client's leaving reads ahead before it waits for a reader.
_READ_AHEAD = 64 * 1024

# After so many messages the loop has its turn.
_TURN = 64


class Inbox:
    """The messages of one request's ``receive``.

    Attributes:
        complete: whether the end of the body has come.
        disconnected: whether the client has left.
        watched: whether somebody waits for that, and so takes messages that others may want.
    """

    __slots__ = (
        "_body",
        "_busy",
        "_chunks",
        "_drained",
        "_held",
        "_idle",
        "_receive",
        "_seen",
        "_size",
        "_streamed",
        "complete",
        "disconnected",
        "watched",
    )

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._chunks: deque[bytes] = deque()
        self._body: bytes | None = None
        # A lock and an event, made when there is somebody to wait: to make both takes longer than to read most bodies.
        self._busy = False
        self._idle: asyncio.Event | None = None
        self._drained: asyncio.Event | None = None
        self._held = 0
        self._seen = 0
        self._size = 0
        self._streamed = False
        self.complete = False
        self.disconnected = False
        self.watched = False

    async def _take(self) -> None:
        """Take one message, unless somebody else took one meanwhile."""
        seen = self._seen
        while self._busy:
            if self._idle is None:
                self._idle = asyncio.Event()
            await self._idle.wait()
            if self._seen != seen:
                return
        self._busy = True
        try:
            message = await self._receive()
            self._seen += 1
            if message["type"] == "http.request":
                chunk = message.get("body", b"")
                if chunk:
                    self._chunks.append(chunk)
                    self._held += len(chunk)
                    self._size += len(chunk)
                self.complete = not message.get("more_body", False)
            else:
                self.disconnected = True
            if not self._seen % _TURN:
                # A receive that never waits must not hold the loop: 100,000 messages took 0.5 s. Last, because a
                # caller may be cancelled here, and what was received must not be lost with it.
                await asyncio.sleep(0)
        finally:
            self._busy = False
            if self._idle is not None:
                self._idle.set()
                self._idle = None

    def _pop(self) -> bytes:
        chunk = self._chunks.popleft()
        self._held -= len(chunk)
        if not self._chunks:
            self._read_off()
        return chunk

    def _read_off(self) -> None:
        """There is room again for who reads ahead."""
        if self._drained is not None:
            self._drained.set()

    def _check_unstreamed(self) -> None:
        if self._streamed:
            msg = "the request body was streamed already; read it with read() to use it twice"
            raise MisuseError(msg)

    async def stream(self) -> AsyncIterator[bytes]:
        """Give the body in the pieces in which it arrives; nothing of it is kept.

        Raises:
            ClientDisconnect: the client left before the end.
            MisuseError: the body was streamed before.
        """
        if self._body is not None:
            if self._body:
                yield self._body
            return
        self._check_unstreamed()
        self._streamed = True
        while True:
            while self._chunks:
                yield self._pop()
            if self.complete:
                return
            if self.disconnected:
                raise ClientDisconnect(self._size)
            await self._take()

    async def read(self, limit: int | None) -> bytes:
        """Read the whole body, once; later calls give the same bytes.

        What was read so far is kept when it fails or is cancelled: it can be tried again, with another limit.

        Args:
            limit: how many bytes are allowed, as counted when they arrive.

        Raises:
            BodyError: 413 ``entity.too.large``.
            ClientDisconnect: the client left before the end.
            MisuseError: the body was streamed before.
        """
        if self._body is None:
            self._check_unstreamed()
            while True:
                if limit is not None and self._size > limit:
                    raise too_large(limit, self._size)
                if self.complete:
                    break
                if self.disconnected:
                    raise ClientDisconnect(self._size)
                await self._take()
        if self._body is None:  # nobody else has read it to the end meanwhile
            self._body = b"".join(self._chunks)
            self._chunks.clear()
            self._held = 0
            self._read_off()
        if limit is not None and len(self._body) > limit:
            raise too_large(limit, len(self._body))
        return self._body

    async def gone(self) -> bool:
        """Tell whether the client has left, without waiting. Reads ahead in the body, up to 64 KiB."""
        if not self.disconnected and self._held <= _READ_AHEAD:
            # One turn of the loop lets a receive that has something to say, say it.
            task = asyncio.ensure_future(self._take())
            try:
                await asyncio.sleep(0)
            finally:
                task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
        return self.disconnected

    async def wait_gone(self) -> None:
        """Wait until the client leaves. Reads ahead in the body, up to 64 KiB, then waits for a reader."""
        while not self.disconnected:
            if self._held > _READ_AHEAD:
                self._drained = asyncio.Event()
                await self._drained.wait()
            else:
                await self._take()

    async def drain(self, most: int) -> None:
        """Take and forget what is left of the body, ``most`` bytes of it."""
        drained = 0
        while not (self.complete or self.disconnected) and drained <= most:
            await self._take()
            while self._chunks:
                drained += len(self._pop())

    def replay(self) -> Receive:
        """Return a ``receive`` for an app behind us that gives the body again, then what follows."""
        if not (self._seen or self._busy or self.watched):
            return self._receive
        kept = self._body
        ended = False

        async def replayed() -> Message:
            nonlocal kept, ended
            if kept is not None:
                body, kept, ended = kept, None, True
                return {"type": "http.request", "body": body, "more_body": False}
            while not ended:
                if self._chunks:
                    body = self._pop()
                    ended = self.complete and not self._chunks
                    return {"type": "http.request", "body": body, "more_body": not ended}
                if self.complete:
                    ended = True
                    return {"type": "http.request", "body": b"", "more_body": False}
                if self.disconnected:
                    break
                await self._take()
            while not self.disconnected:
                await self._take()
            return {"type": "http.disconnect"}

        return replayed


def too_large(limit: int, size: int) -> BodyError:
    """Return the error for a body over its limit (body-parser's words)."""
    return BodyError(413, "request entity too large", type="entity.too.large", limit=limit, received=size)

"""The deadlines of a request: until it has arrived, and until its answer has left."""

from __future__ import annotations

import asyncio

from asgi_express.errors import HTTPError
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Timeouts"]


class Timeouts:
    """Give up on clients that are too slow, and on answers that take too long.

    A body that has not arrived in time is 408. An answer that is not complete in time is cut off: the server closes
    the connection, which tells the client that the answer is not whole. Where nothing of it has left, it is 503.
    """

    def __init__(self, app: ASGIApp, *, read: float | None, write: float | None) -> None:
        self._app = app
        self._read = read
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app with deadlines."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._read is not None:
            receive = _punctual(receive, self._read)
        if self._write is None:
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        deadline = asyncio.timeout(self._write)
        try:
            async with deadline:
                await self._app(scope, receive, noting)
        except TimeoutError:
            if started or not deadline.expired():
                raise
            body = b"Service Unavailable"
            headers = [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
            ]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": body})


def _punctual(receive: Receive, seconds: float) -> Receive:
    """Return a ``receive`` that fails if the whole body is not there in time. What comes after it is not timed."""
    deadline = asyncio.get_running_loop().time() + seconds
    complete = False

    async def receive_in_time() -> Message:
        nonlocal complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPError(408, headers={"Connection": "close"}) from None
        complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return receive_in_time

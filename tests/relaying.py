"""The other end of a connection that is relayed, in process: it says something, reads or does not, and leaves."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

from asgi_express.processes import Message, Process
from tests.asgi import http_scope


class Wire:
    """One connection to an app.

    Attributes:
        sent: what the app has sent, and nobody has taken from here yet.
        reading: cleared for a client that does not read: the app then waits in ``send``.
        running: the app.
    """

    def __init__(self, app: Any, target: str = "/", *, kind: str = "websocket", **more: Any) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reading = asyncio.Event()
        self.reading.set()
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = http_scope(target, **more)
        if kind == "websocket":
            del scope["method"]
            scope |= {"type": "websocket", "scheme": "ws"}
            scope.setdefault("subprotocols", [])
            self._said.put_nowait({"type": "websocket.connect"})
        else:
            self._said.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self._kind = kind
        self.running = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        return await self._said.get()

    async def _send(self, message: Any) -> None:
        await self.reading.wait()
        self.sent.put_nowait(dict(message))

    def say(self, what: str | bytes) -> None:
        key = "text" if isinstance(what, str) else "bytes"
        self._said.put_nowait({"type": "websocket.receive", key: what})

    def leave(self) -> None:
        kind = "websocket.disconnect" if self._kind == "websocket" else "http.disconnect"
        self._said.put_nowait({"type": kind})

    async def next(self, kind: str) -> dict[str, Any]:
        """Return the next message of the app, which has to be of this type."""
        waiting = asyncio.ensure_future(self.sent.get())
        await asyncio.wait([waiting, self.running], return_when=asyncio.FIRST_COMPLETED, timeout=100)
        if not waiting.done():
            waiting.cancel()
            await self.running
            raise AssertionError("the app has returned")
        message = waiting.result()
        assert message["type"] == kind, message
        return message

    async def heard(self) -> Any:
        """Return the next frame."""
        return json.loads((await self.next("websocket.send"))["text"])

    async def event(self) -> str:
        """Return the next event, as it stands in the stream."""
        message = await self.next("http.response.body")
        assert message["more_body"]
        text: str = message["body"].decode()
        return text.removesuffix("\n\n")

    async def over(self) -> None:
        """Wait until the app has returned."""
        async with asyncio.timeout(100):
            await self.running

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.leave()
        await self.over()


class Told:
    """A process that notes what it is told.

    Attributes:
        messages: what it was told.
    """

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self, process: Process) -> None:
        async for message in process:
            if message.topic == "end":
                return
            if message.topic == "fail":
                raise ValueError("no database")
            self.messages.put_nowait(message)

    async def next(self, topic: str) -> Any:
        """Return the payload of the next message, which has to be of this topic."""
        async with asyncio.timeout(100):
            message = await self.messages.get()
        assert message.topic == topic, message
        return message.payload

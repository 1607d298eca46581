"""An answer on its way out: what was decided, and how much of it the server has taken.

The decisions are :mod:`asgi_express.response`'s. Here they become ASGI messages, once: when the handler
returns, or when the response is awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from asgi_express._events import Events, Listener
from asgi_express.errors import ClientDisconnect, HeadersSentError, MisuseError
from asgi_express.types import Message, Send

if TYPE_CHECKING:
    from typing import Self

    from asgi_express._settings import Settings
    from asgi_express.request import Request

__all__ = ["BODILESS", "Outgoing", "PassOn"]

# What an answer of this status is not to have (RFC 9110 sections 15.3.5 and 15.4.5).
BODILESS = frozenset({204, 304})

# Headers of ours that speak of a body which an ASGI app further in replaces.
_BODY_HEADERS = frozenset({b"content-length", b"content-encoding", b"content-range", b"transfer-encoding", b"etag"})

_CHUNK = (bytes, bytearray, memoryview)


class PassOn(Exception):
    """There is nothing here to answer with: the walk goes on, as after ``next()``."""


class Outgoing:
    """The state of an answer, and the pushing of it."""

    __slots__ = (
        "__dict__",
        "_chunks",
        "_complete",
        "_deferred",
        "_ended",
        "_events",
        "_has_lists",
        "_has_news",
        "_headers",
        "_in_pieces",
        "_locals",
        "_reached",
        "_send",
        "_server_send",
        "_settings",
        "_settled",
        "_started",
        "_status",
        "_waiter",
        "app",
        "req",
    )

    def __init__(self, req: Request, send: Send, settings: Settings, app: Any) -> None:
        self.req = req
        self.app = app
        self._settings = settings
        self._send = send
        self._server_send = send
        self._status = 200
        self._headers: dict[bytes, bytes | list[bytes]] = {}
        self._has_lists = False
        self._has_news = False
        self._chunks: list[bytes] = []
        self._ended = False
        self._settled = False
        self._in_pieces = False
        self._started = False
        self._reached = False
        self._complete = False
        self._deferred: Callable[[], Awaitable[None]] | None = None
        self._events: Events | None = None
        self._locals: dict[str, Any] | None = None
        self._waiter: asyncio.Event | None = None

    @property
    def headers_sent(self) -> bool:
        """Whether the status and the headers are decided for good.

        Example: ``if not res.headers_sent: res.status(500).send("sorry")``
        """
        return self._started or self._ended or bool(self._chunks)

    @property
    def finished(self) -> bool:
        """Whether the whole answer is decided.

        Example: ``if not res.finished: res.send("nobody else answered")``
        """
        return self._ended or self._complete or self._deferred is not None

    def on(self, event: str, listener: Listener) -> Self:
        """Call a listener, plain or ``async``, on an event of this response.

        Args:
            event: ``"finish"``, the answer was handed to the server; or ``"close"``, the request is
                over: answered, failed, or the client has gone.
            listener: called without arguments.

        Raises:
            ValueError: there is no such event.

        Example::

            res.on("finish", lambda: log.info("%s %s", req.method, res.status_code))
        """
        if event not in ("finish", "close"):
            msg = f"res.on: there is no event {event!r}; there are 'finish' and 'close'"
            raise ValueError(msg)
        if self._events is None:
            self._events = Events()
        self._events.add(event, listener)
        if event == "close":
            self.req._watch()
        return self

    async def wait_finished(self) -> None:
        """Wait until the answer is decided by somebody else, or ``next`` was called.

        For a handler that leaves the answer to a callback or another task.

        Raises:
            ClientDisconnect: the client has gone.

        Example::

            asyncio.get_running_loop().call_soon(res.send, "from elsewhere")
            await res.wait_finished()
        """
        if self._waiter is None:
            self._waiter = asyncio.Event()
        if not self.finished:
            self.req._watch()
            await self._waiter.wait()
            if self.req._client_gone and not self.finished:
                raise ClientDisconnect

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.set()

    def _open(self) -> None:
        """Make sure that headers can still be set."""
        if self._started or self._ended or self._chunks or self._deferred is not None:
            msg = "Cannot set headers after they are sent to the client"
            raise HeadersSentError(msg)

    def _check_status(self) -> None:
        if self._status < 200:
            msg = f"{self._status} is not the status of an answer: 1xx announce one (res.early_hints)"
            raise MisuseError(msg)

    def _finish(self, content: bytes) -> Self:
        if self._status < 200:
            self._check_status()
        if content:
            self._chunks.append(content)
        self._ended = self._has_news = True
        if self._waiter is not None:
            self._waiter.set()
        return self

    def write(self, chunk: str | bytes) -> Self:
        """Answer with a piece of a body, of a length not told before.

        Raises:
            HeadersSentError: the answer is complete.
            TypeError: ``chunk`` is neither text nor bytes.

        Example::

            for row in rows:
                await res.write(f"<li>{row}")
            res.end()
        """
        if self._ended or self._complete:
            msg = "Cannot write after the end of the answer"
            raise HeadersSentError(msg)
        self._check_status()
        self._chunks.append(_bytes(chunk))
        self._in_pieces = self._has_news = True
        return self

    def end(self, chunk: str | bytes | None = None) -> Self:
        """Complete the answer, without the care of ``send``: no type, no entity tag.

        Raises:
            HeadersSentError: the answer is complete, and there is a chunk.
            TypeError: ``chunk`` is neither text nor bytes.

        Example::

            res.status(204).end()
        """
        if self.finished:
            if chunk is None:
                return self
            msg = "Cannot write after the end of the answer"
            raise HeadersSentError(msg)
        return self._finish(b"" if chunk is None else _bytes(chunk))

    def __await__(self) -> Generator[Any, None, None]:
        """Push what was decided, and wait until the server took it."""
        return self._push().__await__()

    def _defer(self, answer: Callable[[], Awaitable[None]]) -> Self:
        """Leave the answer to a coroutine function that runs when the response is pushed, because it has to wait."""
        self._open()
        self._deferred = answer
        self._has_news = True
        self._wake()
        return self

    async def _push(self) -> None:
        if self._deferred is not None:
            answer, self._deferred = self._deferred, None
            await answer()
        self._has_news = False
        if not self._started:
            if not self._ended and not self._chunks:
                return
            if not self._settled:
                self._settle_length()
            message = self._start_message()
            self._started = True
            try:
                await self._send(message)
            except Exception:
                self._take_back()
                raise
        try:
            if not self._ended:
                await self._push_pieces()
                return
            if self._complete:
                return
            self._complete = True
            await self._send(self._body_message(more=False))
        except OSError as error:  # what a server raises to say so (ASGI specification, HTTP 2.4)
            raise ClientDisconnect from error
        if self._events is not None:
            await self._events.settle("finish")

    async def _push_pieces(self) -> None:
        # Servers drop what is sent to a client that has gone: without this, an endless answer would never end.
        self.req._watch()
        while self._chunks:
            message = self._body_message(more=True)
            if self.req._client_gone:
                raise ClientDisconnect
            if message["body"]:
                await self._send(message)

    def _has_body(self) -> bool:
        # The method of the connection: what a handler makes of req.method does not change what the client expects.
        return self._status not in BODILESS and self.req.scope.get("method") != "HEAD"

    def _take_back(self) -> None:
        """A middleware may have failed, and nothing has gone out: then the error can still be answered."""
        if self._send not in (self._server_send, self._relay) and not self._reached:
            self._started = self._ended = self._settled = self._in_pieces = False
            self._chunks.clear()
            for name in _BODY_HEADERS:
                self._headers.pop(name, None)

    def _settle_length(self) -> None:
        """A wrong length from a handler would tear the connection: put it right where the right one is known."""
        headers = self._headers
        if self._status in BODILESS:
            headers.pop(b"content-length", None)
            headers.pop(b"transfer-encoding", None)
        elif b"transfer-encoding" in headers:
            headers.pop(b"content-length", None)  # RFC 9112 section 6.2
        elif self.req.scope.get("method") != "HEAD" and (
            not self._in_pieces or (self._ended and b"content-length" in headers)
        ):
            headers[b"content-length"] = b"%d" % sum(map(len, self._chunks))

    def _start_message(self) -> Message:
        raw: list[tuple[bytes, Any]] = list(self._headers.items())
        if self._has_lists:
            raw = [(name, each) for name, value in raw for each in (value if type(value) is list else (value,))]
        scope = self.req.scope
        if scope["type"] == "http":
            return {"type": "http.response.start", "status": self._status, "headers": raw}
        if "websocket.http.response" in (scope.get("extensions") or ()):
            return {"type": "websocket.http.response.start", "status": self._status, "headers": raw}
        # No denial response: all that there is to say is no, which the server makes a 403.
        self._chunks.clear()
        self._ended = self._complete = True
        return {"type": "websocket.close", "code": 1000, "reason": ""}

    def _body_message(self, *, more: bool) -> Message:
        """Return the message with what was decided of the body, and forget that."""
        chunks = self._chunks
        content = b""
        if chunks:
            if self._has_body():
                content = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            chunks.clear()
        kind = "http.response.body" if self.req.scope["type"] == "http" else "websocket.http.response.body"
        return {"type": kind, "body": content, "more_body": more}

    async def _relay(self, message: Message) -> None:
        """Pass on what an ASGI app on the stack sends, and note how far its answer has come."""
        self._reached = True
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            if not self._started:
                self._started = True
                if self._headers:
                    message = {**message, "headers": self._merged(message.get("headers") or ())}
        elif kind in ("http.response.body", "http.response.zerocopysend", "websocket.http.response.body"):
            self._complete = self._complete or not message.get("more_body", False)
        elif kind in ("http.response.pathsend", "websocket.close"):
            self._started = self._complete = True
        await self._server_send(message)
        if self._complete:
            self._wake()
            if self._events is not None:
                await self._events.settle("finish")

    def _merged(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Add the headers that handlers before an ASGI app have set, where the app did not set them."""
        merged = [(bytes(name), bytes(value)) for name, value in headers]
        present = {name.lower() for name, _ in merged}
        for name, value in self._headers.items():
            if name in _BODY_HEADERS or (name in present and name not in (b"set-cookie", b"vary")):
                continue
            merged.extend((name, item) for item in (value if isinstance(value, list) else [value]))
        return merged


def _bytes(chunk: str | bytes) -> bytes:
    if isinstance(chunk, str):
        return chunk.encode("utf-8", "replace")
    if isinstance(chunk, _CHUNK):
        return bytes(chunk)
    msg = f"a chunk must be text or bytes, got {chunk!r}"
    raise TypeError(msg)

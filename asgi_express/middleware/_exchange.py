"""A request with its answer, or a WebSocket, as its messages pass: how it began, how much it was, and how it ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["GONE", "Connection", "Exchange"]

GONE = 499
"""The client has left before there was an answer; the number is nginx's."""

SWITCHED = 101
"""A WebSocket that was accepted."""


class Exchange(ABC):
    """One request and its answer.

    Attributes:
        scope: of the request.
        head: the first message of the answer.
        status: the status that was sent; 0 for none yet.
        received: bytes of the body that the app has read.
        sent: bytes of the body of the answer.
        gone: whether the client has left.
        over: whether the answer has gone out, or never will.
    """

    __slots__ = (
        "_lost",
        "_receive",
        "_send",
        "_trailers",
        "gone",
        "head",
        "over",
        "received",
        "scope",
        "sent",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._trailers = self._lost = False
        self.head: Message = {}
        self.status = self.received = self.sent = 0
        self.gone = self.over = False

    @abstractmethod
    def ended(self, status: int, error: BaseException | None) -> None:
        """Take note that it is over.

        Args:
            status: what the client got; 500 for an exception or an answer without an end, :data:`GONE` if the client
                has left before there was one, whatever is sent then.
            error: what the app has raised.
        """

    def left(self, error: BaseException | None) -> None:  # noqa: B027 - few want to know
        """Take note that the app is over too, and of what it has raised, perhaps after an answer."""

    async def run(self, app: ASGIApp) -> None:
        """Run an app, and see how it ends."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:
            if not self.over:
                self.over = True
                failed = isinstance(error, Exception) and not self.gone
                self.ended(500 if failed else self._reached(), error)
            self.left(error)
            raise
        if not self.over:
            self.over = True
            self.ended(self._reached() if self.gone else 500, None)
        self.left(None)

    async def receive(self) -> Message:
        """Pass a message from the client."""
        message = await self._receive()
        kind = message["type"]
        if kind == "http.request":
            self.received += len(message.get("body", b""))
        elif kind == "http.disconnect":
            self.gone = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the client."""
        kind = message["type"]
        if kind == "http.response.body":
            self.sent += len(message.get("body", b""))
        elif kind == "http.response.start":
            self.head = message
            self._lost = self.gone
            self.status, self._trailers = message["status"], message.get("trailers", False)
        try:
            await self._send(message)
        except OSError:  # ASGI specification, HTTP 2.4
            self.gone = True
            raise
        if not self.over and self._ends(kind, message):
            self.over = True
            self.ended(self._reached(), None)

    def _reached(self) -> int:
        return GONE if self._lost else self.status or GONE

    def _ends(self, kind: str, message: Message) -> bool:
        if kind == "http.response.trailers":
            return not message.get("more_trailers", False)
        if self._trailers:
            return False
        if kind in ("http.response.body", "http.response.zerocopysend"):
            return not message.get("more_body", False)
        return kind == "http.response.pathsend"


class Connection(ABC):
    """One WebSocket.

    Attributes:
        scope: of the handshake.
        status: what the handshake was answered with, :data:`SWITCHED` if it was accepted; 0 for nothing yet.
        code: what the app has closed it with.
        gone: whether the client has left.
    """

    __slots__ = ("_receive", "_send", "code", "gone", "scope", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.status = 0
        self.code: int | None = None
        self.gone = False

    @abstractmethod
    def accepted(self) -> None:
        """Take note that it is open."""

    @abstractmethod
    def passed(self, direction: Literal["received", "sent"]) -> None:
        """Take note of a message."""

    @abstractmethod
    def ended(self, status: int, error: BaseException | None) -> None:
        """Take note that it is over; with the same as :meth:`Exchange.ended`."""

    async def run(self, app: ASGIApp) -> None:
        """Run an app, and see how it ends."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:
            failed = isinstance(error, Exception) and not self.gone
            self.ended(500 if failed else self.status or GONE, error)
            raise
        self.ended(self.status or (GONE if self.gone else 500), None)

    async def receive(self) -> Message:
        """Pass a message from the client."""
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self.passed("received")
        elif message["type"] == "websocket.disconnect":
            self.gone = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the client."""
        try:
            await self._send(message)
        except OSError:
            self.gone = True
            raise
        kind = message["type"]
        if kind == "websocket.send":
            self.passed("sent")
        elif kind == "websocket.close":
            self.code = message.get("code", 1000)
            self.status = self.status or 403  # what servers answer to a handshake that is closed
        elif kind == "websocket.http.response.start":
            self.status = message["status"]
        elif kind == "websocket.accept" and not self.status:
            self.status = SWITCHED
            self.accepted()

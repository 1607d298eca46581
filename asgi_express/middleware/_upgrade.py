"""A handshake as a request: what the handler of ``GET`` sees of it, and what becomes of its answer."""

from __future__ import annotations

import asyncio
from typing import Any

from asgi_express.middleware._relay import GRACE, kept
from asgi_express.middleware._respond import DENIAL, close_code, drop
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["UPGRADING", "Upgrade"]

UPGRADING = "asgi_express.upgrading"
"""In the scope of a request that is made of a handshake."""

_SCHEMES = {"ws": "http", "wss": "https"}

# Of the handshake itself (RFC 6455 section 11.3), which the server writes.
_SERVERS = (b"sec-websocket-accept", b"sec-websocket-extensions", b"sec-websocket-protocol", b"sec-websocket-version")


class _Over(OSError):
    """What servers raise where the client has gone (ASGI specification, HTTP 2.4)."""


class Upgrade:
    """One handshake.

    Attributes:
        headers: those of an answer that asks for the relay; ``None`` where another answer has gone out.

    Args:
        scope: of the WebSocket.
        send: the way to its client.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self.headers: list[tuple[bytes, bytes]] | None = None
        self._scope = scope
        self._send = send
        self._can_deny = DENIAL in (scope.get("extensions") or {})
        self._status: int | None = None
        self._over = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, app: ASGIApp) -> None:
        """Run the app with the handshake as a request. What it answers, unless it asks for the relay, goes out."""
        scope = self._scope
        request: dict[str, Any] = {key: value for key, value in scope.items() if key != "subprotocols"}
        scheme = scope.get("scheme", "ws")
        request |= {
            "type": "http",
            "method": "GET",
            "scheme": _SCHEMES.get(scheme, scheme),
            "extensions": {},
            UPGRADING: True,
        }
        try:
            await app(request, _nothing_to_read(self._over), self._note)
        except _Over:
            return
        finally:
            self._over.set()
            if self._timer is not None:
                self._timer.cancel()

    async def _note(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and self._status is None:
            await self._begin(message)
        elif kind == "http.response.body":
            # Nobody may say when the client of a refusal has gone: a stream without an end, of events say, would go on
            # for ever.
            if message.get("more_body", False) and self._over.is_set():
                raise _Over
            if self.headers is not None or not self._can_deny:
                await drop(message)
            else:
                await self._send({**message, "type": f"websocket.{kind}"})

    async def _begin(self, message: Message) -> None:
        status = self._status = message["status"]
        pairs = [(bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ())]
        self._timer = asyncio.get_running_loop().call_later(GRACE, self._over.set)
        if any(name == b"x-ws-relay" for name, _ in pairs) and 200 <= status < 300:
            self.headers = pairs
        elif self._can_deny:
            rest = [pair for pair in pairs if pair[0] != b"x-ws-relay"]
            await self._send({"type": "websocket.http.response.start", "status": status, "headers": rest})
        else:
            await self._send({"type": "websocket.close", "code": close_code(status), "reason": ""})

    def acceptance(self) -> Message:
        """Return the message that accepts the handshake, with the headers of the answer."""
        pairs = kept(self.headers or ())
        wanted = [value.decode("latin-1") for name, value in self.headers or () if name == b"sec-websocket-protocol"]
        offered = self._scope.get("subprotocols") or ()
        subprotocol = wanted[0] if len(wanted) == 1 and wanted[0] in offered else None
        headers = [pair for pair in pairs if pair[0] not in _SERVERS]
        return {"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers}


def _nothing_to_read(over: asyncio.Event) -> Receive:
    """Return a ``receive`` of a request without a body. It never reads the WebSocket: what that says is for others."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await over.wait()
        return {"type": "http.disconnect"}

    return receive

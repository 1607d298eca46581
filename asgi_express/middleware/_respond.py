"""Send one short answer from a middleware, to a request or to a WebSocket that is not accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from asgi_express.types import Message, Scope, Send

__all__ = ["DENIAL", "close_code", "drop", "respond"]

DENIAL = "websocket.http.response"
"""The extension of servers that can refuse a handshake with an answer."""

# RFC 6455 section 7.4.1 and the IANA registry: policy violation, internal error, try again later.
_POLICY, _INTERNAL, _LATER = 1008, 1011, 1013


async def respond(
    scope: Scope, send: Send, status: int, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b""
) -> None:
    """Answer a request, or refuse a WebSocket: with the answer where the server can do that, else by closing it.

    Args:
        scope: of the request or of the WebSocket.
        send: the way to the client.
        status: the HTTP status; a close code is derived from it (4xx 1008, 503 1013, other 1011).
        headers: names in lower case. ``Content-Length`` is added where the status has content.
        body: left out in answers to ``HEAD``.
    """
    prefix = ""
    if scope["type"] == "websocket":
        if DENIAL not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": close_code(status)})
            return
        prefix = "websocket."
    pairs = list(headers)
    if status not in (204, 304):
        pairs.append((b"content-length", b"%d" % len(body)))
    await send({"type": f"{prefix}http.response.start", "status": status, "headers": pairs})
    await send({"type": f"{prefix}http.response.body", "body": b"" if scope.get("method") == "HEAD" else body})


def close_code(status: int) -> int:
    """Return the code to close a WebSocket with instead of an answer."""
    if status < 500:
        return _POLICY
    return _LATER if status == 503 else _INTERNAL


async def drop(message: Message) -> None:
    """Drop a message of an answer in whose place another has been given.

    It lets others run: an app that sends without waiting for anything else would hold the event loop.
    """
    if message.get("more_body", False):
        await asyncio.sleep(0)

"""Put requests to an ASGI app in process: a scope builder, a scripted ``receive`` and a recording ``send``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

PATIENCE = 10.0
"""Seconds until a request that is not answered counts as hanging."""

Headers = Iterable[tuple[str, str]] | Mapping[str, str]


@dataclass(slots=True)
class Answer:
    """What an app answered."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(next(m for m in self.messages if m["type"].endswith("response.start"))["status"])

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        start = next(m for m in self.messages if m["type"].endswith("response.start"))
        return [(bytes(name), bytes(value)) for name, value in start.get("headers", [])]

    @property
    def headers(self) -> dict[str, str]:
        """The headers, names in lower case; lines of one name are joined."""
        joined: dict[str, str] = {}
        for name, value in self.raw_headers:
            key = name.decode("latin-1").lower()
            text = value.decode("latin-1")
            joined[key] = f"{joined[key]}, {text}" if key in joined else text
        return joined

    @property
    def chunks(self) -> list[bytes]:
        return [bytes(m.get("body", b"")) for m in self.messages if m["type"].endswith("response.body")]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def complete(self) -> bool:
        last = self.messages[-1] if self.messages else {}
        return last.get("type", "").endswith("response.body") and not last.get("more_body", False)


def http_scope(target: str = "/", method: str = "GET", headers: Headers = (), **more: Any) -> dict[str, Any]:
    """Build the scope of a request for a raw (percent-encoded) target."""
    path, _, query = target.partition("?")
    pairs: Any = headers.items() if isinstance(headers, Mapping) else headers
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        **more,
    }


class Client:
    """The other end of one request: gives body chunks, then stays, or leaves."""

    def __init__(self, chunks: Sequence[bytes] = (b"",), *, leaves: bool = False) -> None:
        self._messages = [
            {"type": "http.request", "body": chunk, "more_body": leaves or index + 1 < len(chunks)}
            for index, chunk in enumerate(chunks)
        ]
        self._left = asyncio.Event()
        if leaves:
            self._left.set()
        self.received = 0

    def leave(self) -> None:
        """Close the connection."""
        self._left.set()

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        if self._messages:
            return self._messages.pop(0)
        await self._left.wait()
        return {"type": "http.disconnect"}


async def ask(
    app: Any,
    target: str = "/",
    method: str = "GET",
    *,
    headers: Headers = (),
    body: bytes | Sequence[bytes] = b"",
    client: Client | None = None,
    answer: Answer | None = None,
    **more: Any,
) -> Answer:
    """Put one request to an app and return its answer.

    Args:
        app: any ASGI app.
        target: the raw target, percent-encoded, with the query.
        method: the method.
        headers: the request headers.
        body: the body, or the chunks of it.
        client: the other end, to leave early.
        answer: filled as messages come, for an app that raises.
        **more: further keys of the scope, or other values for those it has.
    """
    client = client or Client([body] if isinstance(body, bytes) else list(body))
    answer = Answer() if answer is None else answer

    async def send(message: Any) -> None:
        answer.messages.append(dict(message))

    async with asyncio.timeout(PATIENCE):
        await app(http_scope(target, method, headers, **more), client.receive, send)
    return answer


class Socket:
    """The other end of one WebSocket, in process.

    Attributes:
        sent: what the app sent.
    """

    def __init__(self, *received: dict[str, Any]) -> None:
        self._received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in ({"type": "websocket.connect"}, *received):
            self._received.put_nowait(message)
        self.sent: list[dict[str, Any]] = []

    async def connect(self, app: Any, target: str = "/", *, denial: bool = False, **more: Any) -> Socket:
        """Run an app on the connection until it returns.

        Args:
            app: any ASGI app.
            target: the raw target.
            denial: whether the server offers denial responses.
            **more: further keys of the scope.
        """
        scope = http_scope(target, **more)
        del scope["method"]
        scope |= {"type": "websocket", "scheme": "ws", "subprotocols": []}
        if denial:
            scope["extensions"] = {"websocket.http.response": {}}

        async def send(message: Any) -> None:
            self.sent.append(dict(message))

        async with asyncio.timeout(PATIENCE):
            await app(scope, self._received.get, send)
        return self

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.sent]

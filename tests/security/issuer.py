"""An issuer that publishes its keys over HTTP: slow, broken, rotating, as a test wants it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tests.security.signing import jwk


class Clock:
    """A clock by hand, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """An ASGI app.

    Attributes:
        keys: what it publishes.
        headers: of its answers.
        status: of its answers.
        body: instead of the keys.
        open: while this is not set, nothing is answered.
        requests: the paths that were asked for.
        url: where it is.
    """

    def __init__(self) -> None:
        self.keys: list[Any] = [jwk("ES256", kid="k0")]
        self.headers: list[tuple[bytes, bytes]] = []
        self.status = 200
        self.body: bytes | None = None
        self.pages: dict[str, Any] = {}
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()
        self.requests: list[str] = []
        self.url = ""

    @property
    def jwks(self) -> str:
        return f"{self.url}/jwks"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests.append(scope["path"])
        self.asked.set()
        await self.open.wait()
        page = self.pages.get(scope["path"])
        body = json.dumps({"keys": self.keys} if page is None else page).encode() if self.body is None else self.body
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def issuing(*, files: tuple[str, str] | None = None) -> AsyncIterator[Issuer]:
    """Serve an issuer with uvicorn; with files of a certificate and a key, over TLS."""
    issuer = Issuer()
    options: dict[str, Any] = {"ssl_certfile": files[0], "ssl_keyfile": files[1]} if files else {}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = "localhost" if files else "127.0.0.1"
        issuer.url = f"{'https' if files else 'http'}://{host}:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(issuer, lifespan="off", log_level="warning", **options))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield issuer
        finally:
            issuer.open.set()
            server.should_exit = server.force_exit = True
            await task


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def answering(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve bytes as they are; yield the URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    finally:
        server.close()
        await server.wait_closed()

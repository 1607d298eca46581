"""A browser for sessions: keeps the cookies of an app, and asks again with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgi_express.middleware.session import SessionData
from asgi_express.stores import MemoryStore, StoreUnavailable
from tests.asgi import Answer, ask

SECRET = "a secret of some length"

Program = Callable[[SessionData], Any]


class Clock:
    """A clock by hand, in seconds since the epoch."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class FaultyStore(MemoryStore):
    """A store in memory, some methods of which fail.

    Attributes:
        broken: their names.
        calls: the names of all methods that were called.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.broken: set[str] = set()
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in ("get", "set", "add", "replace", "touch", "delete"):
            self.calls.append(name)
            if name in self.broken:
                return self._fail
        return super().__getattribute__(name)

    async def _fail(self, *args: Any, **options: Any) -> None:
        msg = "the store is away"
        raise StoreUnavailable(msg)

    @property
    def keys(self) -> list[str]:
        return list(self._entries)

    @property
    def values(self) -> list[bytes]:
        return [entry.value for entry in self._entries.values()]


class Programmed:
    """An app that does with the session what it is told, then answers 200.

    Attributes:
        program: takes the session; may be a coroutine function.
        headers: those of the answer.
        seen: what the session held when the program was done.
    """

    def __init__(self) -> None:
        self.program: Program = dict
        self.headers: list[tuple[bytes, bytes]] = []
        self.seen: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        result = self.program(scope["session"])
        if isinstance(result, Awaitable):
            result = await result
        self.seen = result
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"ok"})


class Browser:
    """Asks an app that is wrapped, and keeps its cookies.

    Attributes:
        cookies: values by name.
        set_cookie: the last ``Set-Cookie``, ``None`` where there was none.
    """

    def __init__(self, middleware: Callable[..., Any], **options: Any) -> None:
        self.inner = Programmed()
        self.app = middleware(self.inner, **options)
        self.cookies: dict[str, str] = {}
        self.set_cookie: str | None = None

    async def visit(self, program: Program = dict, **options: Any) -> Answer:
        """Let the program run in a request; return the answer."""
        self.inner.program = program
        header = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = [("cookie", header)] if header else []
        answer = await ask(self.app, headers=headers, **options)
        self.set_cookie = None
        for name, value in answer.raw_headers:
            if name == b"set-cookie":
                self._keep(value.decode())
        return answer

    async def read(self) -> dict[str, Any]:
        """Return what the session holds, as a program sees it."""
        await self.visit(dict)
        seen: dict[str, Any] = self.inner.seen
        return seen

    def _keep(self, header: str) -> None:
        assert self.set_cookie is None, "two cookies of one session"
        self.set_cookie = header
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


def put(**values: Any) -> Program:
    """Return a program that puts values into the session."""
    return lambda session: session.update(values)


class Gate:
    """Lets two requests meet: the one waits inside until the other has been answered."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()

    async def wait(self) -> None:
        self.entered.set()
        await self.opened.wait()

"""Call an ASGI application as a server does, without a server: requests, right answers, and the time that they take."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

App = Callable[[Any, Any, Any], Any]
Header = tuple[bytes, bytes]

HEADERS: tuple[Header, ...] = ((b"host", b"localhost:8000"), (b"user-agent", b"benchmark"), (b"accept", b"*/*"))


@dataclass(frozen=True)
class Case:
    """One request, which application it goes to, and the answer that is right."""

    name: str
    builder: str
    path: str
    status: int = 200
    answer: object = None  # text, bytes, a JSON value, or None where frameworks word it differently
    method: str = "GET"
    body: bytes = b""
    headers: Sequence[Header] = ()
    marks: Sequence[Header] = ()  # headers that the answer must have

    def scope(self) -> dict[str, Any]:
        """Return the ASGI scope of the request; callers copy it before each call."""
        headers = [*HEADERS, *self.headers]
        if self.body:
            headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", str(len(self.body)).encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
        }


class Body:
    """A `receive` that gives the whole body at once and then waits, as a server does."""

    __slots__ = ("_message",)

    def __init__(self, body: bytes) -> None:
        self._message: dict[str, Any] | None = {
            "type": "http.request",
            "body": body,
            "more_body": False,
        }

    async def __call__(self) -> dict[str, Any]:
        """Give the one message, then wait for ever."""
        message = self._message
        if message is None:
            await asyncio.Future()
            raise AssertionError("unreachable: nobody resolves that future")
        self._message = None
        return message


class Answer:
    """A `send` that keeps what was sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[Header] = []
        self.body = b""
        self.finished = False

    async def __call__(self, message: dict[str, Any]) -> None:
        """Take one message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ())]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            self.finished = not message.get("more_body", False)


def read(body: bytes, kind: type) -> object:
    """Return a body as it is, as text, or as what its JSON means."""
    if kind is bytes:
        return body
    return body.decode() if kind is str else json.loads(body)


async def discard(_message: dict[str, Any]) -> None:
    """Be a `send` that costs next to nothing."""


async def check(app: App, case: Case, name: str) -> Answer:
    """Raise unless the application answers as it should."""
    answer = Answer()
    await app(case.scope(), Body(case.body), answer)
    if not answer.finished or answer.status != case.status:
        raise SystemExit(f"{name}: {case.name}: got {vars(answer)}, expected status {case.status}")
    if missing := set(case.marks) - set(answer.headers):
        raise SystemExit(f"{name}: {case.name}: {missing} is not among {answer.headers}")
    if case.answer is not None:
        got = read(answer.body, type(case.answer))
        if got != case.answer:
            raise SystemExit(f"{name}: {case.name}: got {got!r}, expected {case.answer!r}")
    return answer


async def measure(app: App, case: Case, requests: int, clock: Callable[[], float] = time.process_time) -> float:
    """Return the microseconds that one request took on average.

    The clock counts what this process has worked, with all of its threads: another process costs nothing.
    """
    scope = case.scope()
    body = case.body
    started = clock()
    for _ in range(requests):
        await app(scope.copy(), Body(body), discard)
    return (clock() - started) / requests * 1e6


async def fitting(app: App, case: Case, requests: int, most_ms: float = 50) -> int:
    """Return how many requests to make in a turn: so many, or as many as fit into such a time."""
    await measure(app, case, 1)
    return max(1, min(requests, int(most_ms * 1000 / await measure(app, case, 3))))


@contextlib.asynccontextmanager
async def running(app: App) -> AsyncIterator[None]:
    """Start and stop the application by the lifespan protocol, where it has one."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.ensure_future(app(scope, to_app.get, from_app.put))
    to_app.put_nowait({"type": "lifespan.startup"})
    reply = asyncio.ensure_future(from_app.get())
    await asyncio.wait({task, reply}, return_when=asyncio.FIRST_COMPLETED)
    started = reply.done() and reply.result()["type"] == "lifespan.startup.complete"
    if not started:  # the raw application has no lifespan; the specification lets it fail or return
        reply.cancel()
    yield
    if started:
        to_app.put_nowait({"type": "lifespan.shutdown"})
    with contextlib.suppress(Exception):
        await task

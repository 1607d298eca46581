"""Compare what a limit adds to a request: ours, slowapi's middleware and the engine ``limits`` alone, in one run.

The app sends a small answer. Everybody limits by address, in memory, with a fixed window that is never full; ours also
with its default algorithm. The candidates take turns in an order that is shuffled every round. What is printed is the
median time of a request less that of the app alone. slowapi finds the routes of a Starlette app: there, both are
measured against that app without a middleware.

    pip install slowapi limits
    python -m benchmarks.middleware_ratelimit [--rounds 20] [--requests 1000]
"""

import argparse
import asyncio
import gc
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from slowapi import Limiter
from slowapi.middleware import SlowAPIASGIMiddleware
from slowapi.util import get_remote_address
from starlette.applications import Starlette
from starlette.routing import Route

from asgi_express.middleware.ratelimit import RateLimit

MANY = 1_000_000_000

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY = {"type": "http.response.body", "body": b"hello"}

App = Callable[[Any, Any, Any], Any]


async def inner(_scope: Any, _receive: Any, send: Any) -> None:
    await send({**START, "headers": list(START["headers"])})  # type: ignore[call-overload]  # a list of pairs
    await send(BODY)


class Endpoint:
    """The same app, as an endpoint that slowapi can ask for its name."""

    __name__ = "endpoint"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        await inner(scope, receive, send)


class Engine:
    """The least that a middleware around ``limits`` would do: decide, and add nothing."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.limiter = FixedWindowRateLimiter(MemoryStorage())
        self.item = parse(f"{MANY}/hour")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Count, and run the app."""
        assert await self.limiter.hit(self.item, scope["client"][0])
        await self.app(scope, receive, send)


def starlette() -> Starlette:
    return Starlette(routes=[Route("/", Endpoint())])


def ours(app: App, algorithm: str) -> App:
    burst = MANY if algorithm == "token_bucket" else None
    return RateLimit(app, requests=MANY, window="1h", burst=burst, algorithm=algorithm)


def slowapi() -> App:
    host = starlette()
    host.state.limiter = Limiter(key_func=get_remote_address, default_limits=[f"{MANY}/hour"], headers_enabled=True)
    host.add_middleware(SlowAPIASGIMiddleware)
    return host


CANDIDATES: dict[str, tuple[App, str | None]] = {
    "app": (inner, None),
    "asgi-express, token bucket": (ours(inner, "token_bucket"), "app"),
    "asgi-express, fixed window": (ours(inner, "fixed_window"), "app"),
    "asgi-express, sliding window": (ours(inner, "sliding_window"), "app"),
    "limits, fixed window, no headers": (Engine(inner), "app"),
    "Starlette": (starlette(), None),
    "slowapi, fixed window": (slowapi(), "Starlette"),
}

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "root_path": "",
    "query_string": b"",
    "headers": [(b"host", b"example.com"), (b"accept", b"*/*")],
    "client": ("203.0.113.9", 50000),
    "server": ("127.0.0.1", 8000),
}


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def check(app: App, *, is_marked: bool) -> None:
    """See that the limit is at work before it is timed."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(dict(SCOPE), receive, send)
    assert any(name.lower() == b"x-ratelimit-limit" for name, _ in sent[0]["headers"]) is is_marked


async def measure(app: App, requests: int) -> float:
    """Return the µs of one request."""
    status = 0

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    started = time.perf_counter()
    for _ in range(requests):
        await app(dict(SCOPE), receive, send)
    elapsed = (time.perf_counter() - started) / requests * 1e6
    assert status == 200
    return elapsed


async def run(rounds: int, requests: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for name, (app, base) in CANDIDATES.items():
        await check(app, is_marked=base is not None and "no headers" not in name)
        await measure(app, requests)
    for _ in range(rounds):
        for name in random.sample(list(CANDIDATES), len(CANDIDATES)):
            times[name].append(await measure(CANDIDATES[name][0], requests))
    print("| | adds |\n|---|--:|")
    for name, (_, base) in CANDIDATES.items():
        if base is not None:
            print(f"| {name} | {statistics.median(times[name]) - statistics.median(times[base]):.2f} µs |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=1000)
    options = parser.parse_args()
    gc.disable()
    asyncio.run(run(options.rounds, options.requests))


if __name__ == "__main__":
    main()

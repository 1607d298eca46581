"""Compare what a limit adds to a request: ours, slowapi's middleware and the engine ``limits`` alone, in one run.

The app sends a small answer. Everybody limits by address, in memory, with a fixed window that is never full; ours also
with its default algorithm. The candidates take turns in an order that is shuffled every round. What is printed is the
median of what each adds to the app alone. slowapi finds the routes of a Starlette app: there, both are
measured against that app without a middleware.

    pip install slowapi limits
    python -m benchmarks.middleware_ratelimit [--rounds 20] [--requests 1000]
"""

import argparse
import asyncio
import time
from functools import partial
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
from benchmarks.calls import App, Case, check, measure
from benchmarks.turns import added, machine, spread, table, take_turns

MANY = 1_000_000_000

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY = {"type": "http.response.body", "body": b"hello"}


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


class Marking(Engine):
    """A middleware around ``limits`` that says how much is left, as slowapi's does."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Count, run the app, and mark its answer."""
        key = scope["client"][0]
        assert await self.limiter.hit(self.item, key)
        left = await self.limiter.get_window_stats(self.item, key)
        marks = [
            (b"x-ratelimit-limit", b"%d" % self.item.amount),
            (b"x-ratelimit-remaining", b"%d" % left.remaining),
            (b"x-ratelimit-reset", b"%d" % (left.reset_time - time.time())),
        ]

        async def marking(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *marks]}
            await send(message)

        await self.app(scope, receive, marking)


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
    "limits, fixed window, three headers": (Marking(inner), "app"),
    "Starlette": (starlette(), None),
    "slowapi, fixed window": (slowapi(), "Starlette"),
}

CASE = Case("hello", "app", "/", 200, "hello")


async def see(app: App, name: str) -> None:
    """See that the limit is at work before it is timed."""
    is_marked = CANDIDATES[name][1] is not None and "no headers" not in name
    answer = await check(app, CASE, name)
    assert any(header == b"x-ratelimit-limit" for header, _ in answer.headers) is is_marked, name


async def run(rounds: int, requests: int) -> None:
    for name, (app, _) in CANDIDATES.items():
        await see(app, name)
    turns = {name: partial(measure, app, CASE, requests) for name, (app, _) in CANDIDATES.items()}
    times = await take_turns(turns, rounds)
    rows = [[name, spread(added(times[name], times[base]))] for name, (_, base) in CANDIDATES.items() if base]
    print(f"{machine()} {rounds} rounds of {requests} requests.\n")
    print(table(["", "adds, µs"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=1000)
    options = parser.parse_args()
    asyncio.run(run(max(2, options.rounds), options.requests))


if __name__ == "__main__":
    main()

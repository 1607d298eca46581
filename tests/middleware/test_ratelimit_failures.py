"""Limits in a real Redis that is stopped, frozen, flushed, started again and slow under load.

How long it takes is measured by ``benchmarks/redis_failures.py``; here is that nobody hangs, and what is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from asgi_express.middleware.ratelimit import USAGE, RateLimit
from asgi_express.stores import RedisStore
from tests.asgi import ask
from tests.middleware.limited import Clock
from tests.stores.late import Late
from tests.stores.redis_server import RedisServer, running_redis

LIMIT = 5
DEADLINE = 0.1
PATIENT = 10.0
"""Seconds that are enough on any machine; who is not done by then hangs."""

MODES = ("open", "closed", "local")


async def tell_who_counted(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"memory" if scope[USAGE].degraded else b"redis"})


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[Late]:
    redis_server.ask("FLUSHALL")
    async with Late(redis_server) as made:
        yield made


@pytest.fixture
async def store(proxy: Late) -> AsyncIterator[RedisStore]:
    made = RedisStore(proxy.url, timeout=DEADLINE)
    yield made
    await made.aclose()


@pytest.fixture
async def exact(redis_server: RedisServer, proxy: Late) -> AsyncIterator[RateLimit]:
    """The same limit in another process, so to speak, which waits for Redis as long as it takes."""
    made = RedisStore(redis_server.url, timeout=PATIENT)
    yield limited(made, "closed")
    await made.aclose()


def limited(store: RedisStore, mode: Any) -> RateLimit:
    return RateLimit(
        tell_who_counted,
        requests=LIMIT,
        window="1h",
        algorithm="fixed_window",
        key=lambda scope: scope["path"],
        store=store,
        on_store_failure=mode,
        clock=Clock(),
    )


async def come(app: RateLimit, times: int, target: str) -> list[int]:
    """Send requests, all at once; return the statuses in order. Whoever is not answered in time fails the test."""
    async with asyncio.timeout(PATIENT):
        answers = await asyncio.gather(*(ask(app, target) for _ in range(times)))
    assert all(answer.status == 200 or int(answer.headers["retry-after"]) > 0 for answer in answers)
    return sorted(answer.status for answer in answers)


async def until_redis_counts(app: RateLimit) -> None:
    async with asyncio.timeout(PATIENT):
        for number in range(100_000):
            if (await ask(app, f"/new/{number}")).body == b"redis":
                return
            await asyncio.sleep(0.005)


@contextlib.contextmanager
def stopped(server: RedisServer, _: Late) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextlib.contextmanager
def frozen(server: RedisServer, _: Late) -> Iterator[None]:
    with server.frozen():
        yield


@contextlib.contextmanager
def slow(_: RedisServer, proxy: Late) -> Iterator[None]:
    proxy.delay = 3 * DEADLINE
    yield
    proxy.delay = 0.0


AWAY: dict[str, Callable[[RedisServer, Late], contextlib.AbstractContextManager[None]]] = {
    "stopped": stopped,
    "frozen": frozen,
    "slow": slow,
}
MEANWHILE = {"open": [200] * 20, "closed": [503] * 20, "local": [200] * LIMIT + [429] * (20 - LIMIT)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", AWAY)
async def test_while_redis_is_away_nobody_hangs_and_the_mode_decides(
    redis_server: RedisServer, proxy: Late, store: RedisStore, exact: RateLimit, fault: str, mode: str
) -> None:
    app = limited(store, mode)
    await until_redis_counts(app)
    assert await come(exact, 2, "/") == [200, 200]
    with AWAY[fault](redis_server, proxy):
        assert await come(app, 20, "/") == MEANWHILE[mode]
        start = time.monotonic()
        for _ in range(50):  # the breaker is open: even one after the other they do not wait
            await come(app, 1, "/")
        assert time.monotonic() - start < 50 * DEADLINE
    await until_redis_counts(app)
    after = await come(exact, 20, "/")
    if fault == "stopped":  # what it knew is gone
        assert after == [200] * LIMIT + [429] * (20 - LIMIT)
    else:  # it may have counted what was given up meanwhile; never less than what passed
        assert after.count(200) <= LIMIT - 2
        assert set(after) <= {200, 429}


async def test_a_flushed_redis_counts_anew_and_nobody_sees_an_error(
    redis_server: RedisServer, exact: RateLimit
) -> None:
    for _ in range(3):
        assert await come(exact, 20, "/") == [200] * LIMIT + [429] * (20 - LIMIT)
        redis_server.ask("FLUSHALL")
        redis_server.ask("SCRIPT", "FLUSH")


@pytest.mark.parametrize("mode", MODES)
async def test_a_restart_under_load_is_over_when_redis_is_back(
    redis_server: RedisServer, store: RedisStore, exact: RateLimit, mode: str
) -> None:
    app = limited(store, mode)
    await until_redis_counts(app)
    seen: list[int] = []

    async def load(number: int) -> None:
        for turn in range(20):
            seen.extend(await come(app, 1, f"/load/{number}/{turn}"))

    running = [asyncio.create_task(load(number)) for number in range(20)]
    await asyncio.sleep(0)
    await asyncio.to_thread(redis_server.stop)
    await asyncio.to_thread(redis_server.start)
    await asyncio.gather(*running)
    assert len(seen) == 400
    assert set(seen) <= ({200, 503} if mode == "closed" else {200})
    await until_redis_counts(app)
    assert await come(exact, 20, "/") == [200] * LIMIT + [429] * (20 - LIMIT)

"""Sessions in a Redis that is stopped, frozen, flushed and started again under them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asgi_express.middleware import Session
from asgi_express.middleware.session import SessionData
from asgi_express.stores import RedisStore
from tests.asgi import Answer
from tests.middleware.browsing import SECRET, Browser, put
from tests.stores.redis_server import RedisServer
from tests.stores.test_redis import DEADLINE, FAULTS, SLACK

# A request reads the session and saves it.
LONGEST = 2 * DEADLINE + SLACK


@pytest.fixture
async def browser(redis_server: RedisServer) -> AsyncIterator[Browser]:
    """A browser with a session ``{"a": 1}`` in Redis."""
    redis_server.ask("FLUSHALL")
    store = RedisStore(redis_server.url, timeout=DEADLINE)
    made = Browser(Session, secret=SECRET, store=store)
    async with asyncio.timeout(10):
        while (await made.visit(put(a=1))).status != 200:
            await asyncio.sleep(0.005)
    yield made
    await store.aclose()


async def visit_on_time(browser: Browser, program: Any) -> Answer:
    start = time.monotonic()
    answer = await browser.visit(program)
    assert time.monotonic() - start < LONGEST
    return answer


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_every_request_is_answered_in_time_and_a_second_later_all_is_well(
    redis_server: RedisServer, browser: Browser, fault: Any
) -> None:
    with fault(redis_server):
        for program in (dict, put(b=1), SessionData.destroy) * 4:
            answer = await visit_on_time(browser, program)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert browser.cookies
    start = time.monotonic()
    while (await browser.visit(put(b=2))).status != 200:
        await asyncio.sleep(0.005)
        assert time.monotonic() - start < 1.0
    wanted = {"b": 2} if fault is FAULTS["stopped"] else {"a": 1, "b": 2}
    assert await browser.read() == wanted


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_with_empty_the_program_runs_without_a_session_and_the_browser_keeps_its_own(
    redis_server: RedisServer, browser: Browser, fault: Any
) -> None:
    store = RedisStore(redis_server.url, timeout=DEADLINE)
    careless = Browser(Session, secret=SECRET, store=store, on_store_failure="empty")
    careless.cookies.update(browser.cookies)
    with fault(redis_server):
        for program in (dict, put(b=1)) * 4:
            answer = await visit_on_time(careless, program)
            assert (answer.status, careless.set_cookie) == (200, None)
        # That somebody is logged out must never be said of a session that goes on.
        for program in (SessionData.destroy, SessionData.regenerate):
            assert (await visit_on_time(careless, program)).status == 503
    async with asyncio.timeout(10):
        while not await careless.read() and fault is not FAULTS["stopped"]:
            await asyncio.sleep(0.005)
    assert await careless.read() == ({} if fault is FAULTS["stopped"] else {"a": 1})
    await store.aclose()


async def test_it_freezes_between_reading_and_saving(redis_server: RedisServer, browser: Browser) -> None:
    async def program(session: SessionData) -> None:
        session["b"] = 1
        redis_server.freeze()

    try:
        answer = await visit_on_time(browser, program)
    finally:
        redis_server.thaw()
    assert (answer.status, answer.body) == (503, b"Service Unavailable")


async def test_a_flushed_server_has_ended_the_sessions(redis_server: RedisServer, browser: Browser) -> None:
    before = dict(browser.cookies)
    redis_server.ask("FLUSHALL")
    assert await browser.read() == {}
    await browser.visit(put(a=2))
    assert browser.cookies != before
    assert await browser.read() == {"a": 2}


async def test_every_session_in_redis_has_an_end(redis_server: RedisServer, browser: Browser) -> None:
    await browser.visit(put(b=1))
    await browser.visit(lambda session: session.regenerate(keep=True))
    await browser.read()
    store = browser.app._home._store
    keys = await store.execute("KEYS", "*")
    assert len(keys) == 1
    assert keys[0].startswith(b"asgi_express:session:")
    assert 0 < await store.execute("PTTL", keys[0]) <= 30 * 60 * 1000

"""Idle and absolute lifetime, and requests at the same time."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from asgi_express.middleware import Session
from asgi_express.middleware.session import SessionData
from tests.middleware.browsing import SECRET, Browser, Clock, FaultyStore, Gate, put
from tests.middleware.session.homes import DAY, HOMES, HOUR, MINUTE, in_cookie, in_store

# -- lifetimes


@HOMES
async def test_a_session_ends_when_it_is_idle_for_too_long(home: Any) -> None:
    clock = Clock()
    browser = home(clock, idle="30m")
    await browser.visit(put(a=1))
    for _ in range(10):
        clock.now += 29 * MINUTE
        assert await browser.read() == {"a": 1}
    clock.now += 30 * MINUTE
    assert await browser.read() == {}


@HOMES
async def test_a_request_that_does_not_use_the_session_does_not_keep_it_alive(home: Any) -> None:
    clock = Clock()
    browser = home(clock, idle="30m")
    await browser.visit(put(a=1))
    clock.now += 20 * MINUTE
    await browser.visit(lambda session: None)
    clock.now += 20 * MINUTE
    assert await browser.read() == {}


@pytest.mark.parametrize("rolling", [False, True])
@HOMES
async def test_no_use_and_no_change_makes_it_last_longer_than_its_lifetime(home: Any, rolling: bool) -> None:
    clock = Clock()
    browser = home(clock, idle="1d", lifetime="3d", rolling=rolling)
    await browser.visit(put(a=0))
    for hour in range(1, 72):
        clock.now += HOUR
        await browser.visit(put(a=hour))
        assert browser.set_cookie is not None or home is in_store
        if browser.set_cookie:
            left = (72 - hour) * HOUR
            age = min(left, DAY) if rolling else left
            assert f"; Max-Age={age}; " in browser.set_cookie
    clock.now += HOUR
    assert await browser.read() == {}


async def test_the_lifetime_is_checked_even_if_the_store_keeps_the_session_longer() -> None:
    clock, asleep = Clock(), Clock()
    browser = in_store(clock, store=FaultyStore(clock=asleep), lifetime="1h", idle=None)
    await browser.visit(put(a=1))
    clock.now += HOUR - 1
    assert await browser.read() == {"a": 1}
    clock.now += 1
    assert await browser.read() == {}


@HOMES
async def test_a_session_may_end_while_its_request_is_answered(home: Any) -> None:
    clock = Clock()
    browser = home(clock, lifetime="1h", idle=None)
    await browser.visit(put(a=1))

    def slow(session: SessionData) -> None:
        session["b"] = 1
        clock.now += HOUR + 1

    answer = await browser.visit(slow)
    assert answer.status == 200
    assert browser.set_cookie is None or "; Max-Age=1; " in browser.set_cookie
    assert await browser.read() == {}


async def test_without_idle_the_store_is_not_touched() -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store, idle=None)
    await browser.visit(put(a=1))
    store.calls.clear()
    await browser.read()
    assert store.calls == ["get"]


@pytest.mark.parametrize(
    ("options", "minutes", "is_sent"),
    [
        ({}, 2.9, False),
        ({}, 3, True),
        ({"idle": None}, 1000, False),
        ({"rolling": True}, 0, True),
        ({"rolling": True, "idle": None}, 0, True),
    ],
)
async def test_the_cookie_that_holds_the_session_is_written_again_after_a_tenth_of_idle(
    options: Any, minutes: float, is_sent: bool
) -> None:
    clock = Clock()
    browser = in_cookie(clock, **{"idle": "30m", **options})
    await browser.visit(put(a=1))
    clock.now += minutes * MINUTE
    await browser.read()
    assert (browser.set_cookie is not None) is is_sent


@pytest.mark.parametrize("rolling", [False, True])
async def test_the_cookie_that_holds_an_id_is_sent_again_only_if_rolling(rolling: bool) -> None:
    browser = in_store(Clock(), rolling=rolling)
    await browser.visit(put(a=1))
    await browser.read()
    assert (browser.set_cookie is not None) is rolling
    await browser.visit(put(a=2))
    assert (browser.set_cookie is not None) is rolling
    await browser.visit(lambda session: None)
    assert browser.set_cookie is None


@HOMES
async def test_a_clock_that_goes_backwards_does_no_harm(home: Any) -> None:
    clock = Clock()
    browser = home(clock)
    await browser.visit(put(a=1))
    clock.now -= HOUR
    await browser.visit(put(a=2))
    assert await browser.read() == {"a": 2}


# -- requests at the same time


async def at_once(browser: Browser, first: Any, second: Any) -> None:
    """Let the first request load its session, answer the second one, then let the first one go on."""
    gate = Gate()

    async def waiting(session: SessionData) -> None:
        await gate.wait()
        first(session)

    other = Browser(lambda app, **_: Session(app, secret=SECRET, store=None))
    other.app = Session(other.inner, secret=SECRET, store=_store_of(browser), clock=Clock())
    other.cookies = dict(browser.cookies)
    slow = asyncio.create_task(browser.visit(waiting))
    await gate.entered.wait()
    await other.visit(second)
    gate.opened.set()
    await slow


def _store_of(browser: Browser) -> Any:
    return browser.app._home._store


async def test_of_two_that_change_it_at_once_the_last_one_wins() -> None:
    browser = in_store(Clock())
    await browser.visit(put(a=1))
    await at_once(browser, put(b=1), put(c=1))
    assert await browser.read() == {"a": 1, "b": 1}


async def test_one_that_only_reads_takes_nothing_back() -> None:
    browser = in_store(Clock())
    await browser.visit(put(a=1))
    await at_once(browser, dict, put(a=2))
    assert await browser.read() == {"a": 2}


@pytest.mark.parametrize("late", [dict, put(b=1)])
async def test_a_session_that_was_destroyed_meanwhile_is_not_brought_back(
    late: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "asgi_express.session")
    store = FaultyStore()
    browser = in_store(Clock(), store=store)
    await browser.visit(put(a=1))
    await at_once(browser, late, SessionData.destroy)
    assert store.keys == []
    # The cookie is the business of whoever has ended the session: perhaps he has sent a new one.
    assert browser.set_cookie is None
    assert ("ended by another request" in caplog.text) is (late is not dict)

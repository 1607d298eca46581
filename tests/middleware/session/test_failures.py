"""A store that is away."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express.middleware.session import Session, SessionData
from tests.asgi import ask
from tests.middleware.browsing import Clock, FaultyStore, put
from tests.middleware.session.homes import ENDINGS, in_store


async def test_a_session_that_cannot_be_read_is_503_and_the_program_does_not_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store)
    await browser.visit(put(a=1))
    store.broken.add("get")
    browser.inner.seen = None
    answer = await browser.visit(dict)
    assert (answer.status, answer.body, browser.inner.seen) == (503, b"Service Unavailable", None)
    assert answer.headers == {
        "content-type": "text/plain; charset=utf-8",
        "content-length": "19",
        "cache-control": "no-store",
        "retry-after": "1",
    }
    assert (await browser.visit(dict, method="HEAD")).body == b""
    browser.cookies.clear()
    assert (await browser.visit(dict)).status == 200
    assert "the session cannot be read: the store is away" in caplog.text


@pytest.mark.parametrize(
    ("broken", "program"), [("set", put(a=1)), ("replace", put(b=1)), ("delete", SessionData.destroy)]
)
async def test_a_session_that_cannot_be_saved_is_503_instead_of_the_answer(
    broken: str, program: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store)
    if broken != "set":
        await browser.visit(put(a=1))
    store.broken.add(broken)
    answer = await browser.visit(program)
    assert (answer.status, answer.body, answer.complete) == (503, b"Service Unavailable", True)
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]
    assert browser.set_cookie is None
    assert "cannot be saved: the store is away" in caplog.text
    assert "was changed and not saved" not in caplog.text


async def test_a_stream_without_an_end_whose_session_cannot_be_saved_ends() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    store = FaultyStore()
    store.broken.add("set")
    answer = await ask(Session(app, secret="a secret of some length", store=store))
    assert (answer.status, answer.body, answer.complete) == (503, b"Service Unavailable", True)


async def test_a_use_that_cannot_be_noted_is_no_reason_to_refuse(caplog: pytest.LogCaptureFixture) -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store)
    await browser.visit(put(a=1))
    store.broken.add("touch")
    assert await browser.read() == {"a": 1}
    assert "cannot note that a session was used" in caplog.text


async def test_with_empty_the_program_runs_without_the_session() -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store, on_store_failure="empty")
    await browser.visit(put(a=1))
    before = dict(browser.cookies)
    store.broken = {"get", "set", "replace", "touch"}
    assert await browser.read() == {}
    answer = await browser.visit(put(b=1))
    assert (answer.status, answer.body) == (200, b"ok")
    assert (browser.set_cookie, browser.cookies) == (None, before)
    store.broken = {"replace"}
    assert (await browser.visit(put(b=1))).status == 200
    store.broken = set()
    assert await browser.read() == {"a": 1}


@pytest.mark.parametrize("broken", [{"get"}, {"delete"}, {"get", "set", "delete"}])
@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
async def test_even_with_empty_no_logout_is_lost_without_a_word(
    end: Any, broken: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store, on_store_failure="empty")
    await browser.visit(put(a=1))
    store.broken = broken

    def program(session: SessionData) -> None:
        if session:
            end(session)
        else:
            session.destroy()

    assert (await browser.visit(program)).status == 503
    assert "cannot be saved" in caplog.text
    assert "was changed and not saved" not in caplog.text


async def test_an_app_can_answer_instead() -> None:
    async def sorry(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"sorry"})

    store = FaultyStore()
    browser = in_store(Clock(), store=store, on_store_failure=sorry)
    store.broken.add("set")
    answer = await browser.visit(put(a=1))
    assert (answer.status, answer.text) == (500, "sorry")

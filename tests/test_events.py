"""Listeners."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from asgi_express import Express
from asgi_express._events import Events
from tests.asgi import ask


def test_listeners_are_called_in_the_order_of_adding_with_the_arguments() -> None:
    events, seen = Events(), []
    for name in "ab":
        events.add("ping", lambda *args, name=name: seen.append((name, *args)))
    events.emit("ping", 1, 2)
    events.emit("ping")
    events.emit("nobody listens")
    assert seen == [("a", 1, 2), ("b", 1, 2), ("a",), ("b",)]


def test_a_listener_that_is_added_while_it_rings_waits_for_the_next_time() -> None:
    events, seen = Events(), []

    def listener() -> None:
        seen.append("first")
        events.add("ping", lambda: seen.append("second"))

    events.add("ping", listener)
    events.emit("ping")
    assert seen == ["first"]


def test_an_error_of_a_listener_reaches_who_emitted() -> None:
    events = Events()
    events.add("ping", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        events.emit("ping")


@pytest.mark.parametrize("listener", [None, 5, "text", []])
def test_a_listener_must_be_callable(listener: Any) -> None:
    with pytest.raises(TypeError, match=r"on\('ping'\): the listener must be callable"):
        Events().add("ping", listener)


async def test_an_event_that_happens_once_calls_plain_and_async_listeners_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events, seen = Events(), []

    async def waiting() -> None:
        await asyncio.sleep(0)
        seen.append("waiting")

    async def failing() -> None:
        raise ValueError("mine")

    events.add("close", lambda: 1 / 0)
    events.add("close", waiting)
    events.add("close", failing)
    events.add("close", lambda: seen.append("plain"))
    with caplog.at_level(logging.ERROR, "asgi_express"):
        await events.settle("close")
        await events.settle("close")
    assert seen == ["waiting", "plain"]
    assert [record.getMessage() for record in caplog.records] == ["a listener of 'close' failed"] * 2
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError, ValueError]


async def test_a_failing_listener_does_not_spoil_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    app = Express()
    app.get("/", lambda req, res: res.on("finish", lambda: 1 / 0).send("fine"))
    assert (await ask(app)).text == "fine"
    assert "a listener of 'finish' failed" in caplog.text

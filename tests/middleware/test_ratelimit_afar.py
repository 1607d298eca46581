"""The middleware over WebSockets, and with a store that is far away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from asgi_express.middleware.ratelimit import USAGE, Limit, RateLimit
from asgi_express.stores import RedisStore, StoreUnavailable
from tests.asgi import Socket, ask
from tests.middleware.limited import Clock, hello, later, limited, statuses
from tests.stores.redis_server import RedisServer, running_redis

# -- WebSockets


async def test_a_handshake_is_limited_with_the_answer_where_the_server_can() -> None:
    app = limited(requests=1)
    gone = {"type": "websocket.disconnect", "code": 1000}
    accepted = await Socket(gone).connect(app)
    assert accepted.sent[0]["type"] == "websocket.accept"
    assert (b"x-ratelimit-remaining", b"0") in accepted.sent[0]["headers"]
    refused = await Socket().connect(app)
    assert refused.sent == [{"type": "websocket.close", "code": 1008}]
    answered = await Socket().connect(app, denial=True)
    assert (answered.sent[0]["type"], answered.sent[0]["status"]) == ("websocket.http.response.start", 429)
    assert (b"retry-after", b"60") in answered.sent[0]["headers"]


async def test_a_socket_from_a_network_that_is_shut_out_is_refused() -> None:
    app = limited(deny=["127.0.0.0/8"])
    assert (await Socket().connect(app)).sent == [{"type": "websocket.close", "code": 1008}]
    answered = await Socket().connect(app, denial=True)
    assert (answered.sent[0]["type"], answered.sent[0]["status"]) == ("websocket.http.response.start", 403)


TEXTS = [{"type": "websocket.receive", "text": str(number)} for number in range(5)]


@pytest.mark.parametrize("messages", [{"requests": 3}, Limit(requests=3, name="messages")])
async def test_a_client_that_sends_too_many_messages_is_cut_off(messages: Any) -> None:
    seen: list[Any] = []

    async def chat(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        seen.append(await receive())
        await send({"type": "websocket.close"})
        with pytest.raises(OSError, match="too many messages"):
            await send({"type": "websocket.send", "text": "more"})

    app = RateLimit(chat, messages=messages, clock=Clock())
    socket = await Socket(*TEXTS).connect(app)
    assert socket.types == ["websocket.accept", *["websocket.send"] * 3, "websocket.close"]
    assert socket.sent[-1]["code"] == 1008
    assert seen == [{"type": "websocket.disconnect", "code": 1008, "reason": "Too Many Messages"}]
    other = await Socket(*TEXTS[:1], {"type": "websocket.disconnect", "code": 1000}).connect(
        RateLimit(hello, messages=messages, clock=Clock())
    )
    assert other.types == ["websocket.accept", "websocket.send"]


async def test_messages_are_free_where_they_have_no_key_or_in_a_dry_run(caplog: pytest.LogCaptureFixture) -> None:
    gone = {"type": "websocket.disconnect", "code": 1000}
    free: list[dict[str, Any]] = [
        {"dry_run": True},
        {"key": lambda _scope: None},
        {"key": lambda _scope: later(None)},
    ]
    for more in free:
        app = limited(messages={"requests": 1}, **more)
        assert (await Socket(*TEXTS, gone).connect(app)).types == ["websocket.accept", *["websocket.send"] * 5]
    assert "would have closed a WebSocket" in caplog.text


# -- stores


class Away:
    """A store that never answers."""

    async def execute(self, *command: Any, **options: Any) -> Any:
        raise StoreUnavailable("away")


AWAY: dict[str, Any] = {"store": Away()}

FAILURES = {"local": [200, 200, 429], "open": [200, 200, 200], "closed": [503, 503, 503]}


@pytest.mark.parametrize("mode", FAILURES)
async def test_where_the_store_is_away_each_mode_does_as_it_is_called(mode: Any) -> None:
    app = limited(store=Away(), on_store_failure=mode)
    assert await statuses(app, 3) == FAILURES[mode]


async def test_the_log_is_told_once_a_second_that_the_store_is_away(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("asgi_express.middleware._limit_checks.time.monotonic", clock)
    app = limited(store=Away(), on_store_failure="open")
    for _ in range(3):
        await statuses(app, 50)
        clock.now += 1
    assert [record.getMessage() for record in caplog.records] == ["limits cannot be counted in the store: away"] * 3


async def test_a_closed_limit_answers_503_and_closes_sockets_to_come_later() -> None:
    app = limited(store=Away(), on_store_failure="closed")
    answer = await ask(app)
    assert (answer.headers["retry-after"], answer.json["title"]) == ("1", "Service Unavailable")
    assert (await Socket().connect(app)).sent == [{"type": "websocket.close", "code": 1013}]
    app = limited(store=Away(), messages={"on_store_failure": "closed"})
    assert (await Socket(*TEXTS).connect(app)).sent[-1]["code"] == 1013


async def test_each_of_several_limits_fails_in_its_own_way() -> None:
    policies = [{"name": "a", "requests": 2, "on_store_failure": "local"}, {"name": "b", "requests": 1}]
    app = RateLimit(hello, policies=policies, on_store_failure="open", clock=Clock(), **AWAY)
    assert await statuses(app, 3) == [200, 200, 429]


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


async def test_two_workers_share_one_limit_in_redis_and_survive_its_end(redis_server: RedisServer) -> None:
    async with aclosing(RedisStore(redis_server.url, timeout=5)) as store:
        workers = [limited(requests=10, store=store) for _ in range(2)]
        answers = await asyncio.gather(*(ask(workers[number % 2]) for number in range(30)))
        assert sorted(answer.status for answer in answers) == [200] * 10 + [429] * 20
        redis_server.stop()
        assert await statuses(workers[0], 11) == [200] * 10 + [429]


async def test_a_refund_and_a_concurrency_limit_work_in_redis() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await scope[USAGE].refund()
        await hello(scope, receive, send)

    with running_redis() as server:
        async with aclosing(RedisStore(server.url, timeout=5)) as store:
            policies = [{"name": "a", "requests": 1}, {"name": "b", "requests": 1, "algorithm": "concurrency"}]
            assert await statuses(RateLimit(app, policies=policies, store=store), 3) == [200] * 3

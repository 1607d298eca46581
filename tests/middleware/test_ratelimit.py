"""The middleware: who passes, who is refused, and what either is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_express.middleware.ratelimit import USAGE, Limit, RateLimit
from asgi_express.stores import MemoryStore
from tests.asgi import ask
from tests.middleware.limited import Clock, come_from, hello, later, limited, statuses

# -- passing and refusing


async def test_a_burst_may_be_larger_than_the_quota_of_a_window() -> None:
    assert await statuses(limited(burst=3), 4) == [200, 200, 200, 429]


async def test_by_default_twenty_at_once_pass() -> None:
    assert await statuses(RateLimit(hello, clock=Clock()), 22) == [200] * 20 + [429] * 2


@pytest.mark.parametrize("algorithm", ["token_bucket", "sliding_window", "fixed_window"])
async def test_each_algorithm_limits_and_lets_pass_again(algorithm: str) -> None:
    clock = Clock()
    app = limited(algorithm=algorithm, clock=clock)
    assert await statuses(app, 3) == [200, 200, 429]
    clock.now += 62
    assert await statuses(app, 1) == [200]


async def test_a_refusal_is_a_problem_document_and_says_when_to_come_back() -> None:
    app = limited(name="visits")
    await statuses(app, 2)
    answer = await ask(app)
    assert answer.headers == {
        "content-type": "application/problem+json",
        "cache-control": "no-store",
        "content-length": str(len(answer.body)),
        "retry-after": "30",
        "x-ratelimit-limit": "2",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "60",
        "x-ratelimit-window": "60",
    }
    assert answer.json == {
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Too Many Requests",
        "violated-policies": ["visits"],
        "status": 429,
    }


async def test_clients_are_limited_each_for_itself() -> None:
    app = limited()
    assert await statuses(app, 3) == [200, 200, 429]
    assert await statuses(come_from("10.0.0.9", app), 1) == [200]


async def test_requests_under_way_are_limited_until_they_are_done() -> None:
    go = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await hello(scope, receive, send)

    app = limited(slow, algorithm="concurrency")
    running = [asyncio.create_task(ask(app)) for _ in range(2)]
    await asyncio.sleep(0)
    refused = await ask(app)
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    go.set()
    assert [(await task).status for task in running] == [200, 200]
    assert await statuses(app, 3) == [200, 200, 200]


@pytest.mark.parametrize("error", [LookupError, asyncio.CancelledError])
async def test_a_request_that_fails_or_is_cancelled_is_done(error: type[BaseException]) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise error

    app = limited(broken, requests=1, algorithm="concurrency")
    for _ in range(3):
        with pytest.raises(error):
            await ask(app)


async def test_several_limits_hold_together_and_a_refused_request_is_charged_to_none() -> None:
    clock = Clock()
    policies: list[Any] = [
        {"name": "second", "requests": 2, "window": "1s"},
        Limit(name="day", requests=4, window="1d", algorithm="fixed_window"),
    ]
    app = RateLimit(hello, policies=policies, clock=clock)
    assert await statuses(app, 10) == [200, 200] + [429] * 8
    clock.now += 1
    assert await statuses(app, 3) == [200, 200, 429]
    clock.now += 1
    refused = await ask(app)
    assert refused.json["violated-policies"] == ["day"]
    assert refused.headers["retry-after"] == "86398"


@pytest.mark.parametrize("cost", [3, lambda scope: len(scope["path"]), lambda scope: later(len(scope["path"]))])
async def test_a_request_costs_what_it_is_said_to(cost: Any) -> None:
    assert await statuses(limited(requests=7, cost=cost), 3, "/ab") == [200, 200, 429]


async def test_what_costs_nothing_always_passes() -> None:
    assert await statuses(limited(requests=1, cost=lambda _scope: 0), 5) == [200] * 5


@pytest.mark.parametrize("cost", [-1, 1.5, None, True])
async def test_a_cost_that_is_none_is_an_error_of_the_program(cost: Any) -> None:
    with pytest.raises(ValueError, match="cost must return an integer of 0 or more"):
        await ask(limited(cost=lambda _scope: cost))


@pytest.mark.parametrize(
    "skip", [lambda scope: scope["path"] == "/free", lambda scope: later(scope["path"] == "/free")]
)
async def test_what_is_skipped_is_neither_limited_nor_counted(skip: Any) -> None:
    app = limited(skip=skip)
    assert await statuses(app, 5, "/free") == [200] * 5
    assert await statuses(app, 3) == [200, 200, 429]


@pytest.mark.parametrize("value", [None, later(None)])
async def test_without_a_key_there_is_no_limit_and_there_are_no_headers(value: Any) -> None:
    answer = await ask(limited(key=lambda _scope: value))
    assert answer.headers == {"content-type": "text/plain"}


async def test_a_key_may_be_waited_for() -> None:
    assert await statuses(limited(key=lambda _scope: later("ada")), 3) == [200, 200, 429]


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7"])
async def test_networks_can_be_free_or_shut_out(address: str) -> None:
    networks = ["10.0.0.0/8", "2001:db8::/32"]
    assert await statuses(come_from(address, limited(allow=networks)), 5) == [200] * 5
    assert await statuses(limited(allow=networks), 3) == [200, 200, 429]
    shut = limited(deny=networks)
    assert (await ask(come_from(address, shut))).json == {"title": "Forbidden", "status": 403}
    assert await statuses(shut, 1) == [200]


async def test_a_dry_run_lets_pass_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    app = limited(dry_run=True)
    assert await statuses(app, 3) == [200] * 3
    assert (await ask(app)).headers == {"content-type": "text/plain"}
    assert "default of 'ip=127.0.0.1'> would have been refused for 30 s" in caplog.text
    assert await statuses(limited(dry_run=True, deny=["127.0.0.1"]), 1) == [200]
    assert "dry run: '127.0.0.1' would have been shut out" in caplog.text


SECRETS: dict[str, tuple[Any, str, dict[str, str], str]] = {
    "a header": ("header:X-API-Key", "/", {"x-api-key": "hunter2"}, "default of 'header:x-api-key#"),
    "a cookie": ("cookie:id", "/", {"cookie": "id=hunter2"}, "default of 'cookie:id#"),
    "a parameter": ("query:key", "/?key=hunter2", {}, "default of 'query:key#"),
    "a function": (lambda scope: "hunter2", "/", {}, "default of '#"),
    "several": (["ip", "header:X-API-Key"], "/", {"x-api-key": "hunter2"}, "default of '#"),
}


@pytest.mark.parametrize("row", SECRETS.values(), ids=SECRETS)
async def test_the_log_has_no_secret_that_a_limit_is_for(row: Any, caplog: pytest.LogCaptureFixture) -> None:
    key, target, headers, words = row
    app = limited(dry_run=True, key=key)
    for _ in range(3):
        await ask(app, target, headers=headers)
    assert words in caplog.text
    assert "hunter2" not in caplog.text


async def test_another_app_can_answer_and_the_headers_are_added() -> None:
    async def sorry(scope: Any, receive: Any, send: Any) -> None:
        assert scope[USAGE].limited
        await send({"type": "http.response.start", "status": 420})
        await send({"type": "http.response.body", "body": b"calm"})

    app = limited(on_limited=sorry, headers=None)
    await statuses(app, 2)
    answer = await ask(app)
    assert (answer.status, answer.text, answer.headers) == (420, "calm", {"retry-after": "30"})


# -- one limit is decided without waiting

VISITS = st.lists(
    st.tuples(st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1", ""]), st.sampled_from(["", "a", "b" * 99])),
    max_size=30,
)


@pytest.mark.parametrize("algorithm", ["token_bucket", "sliding_window", "fixed_window"])
@pytest.mark.parametrize("headers", ["legacy", "draft-6", "draft-8"])
@settings(deadline=None)
@given(visits=VISITS)
async def test_it_says_what_the_same_limit_says_that_might_have_to_wait(
    algorithm: str, headers: Any, visits: Any
) -> None:
    clock = Clock()
    options: dict[str, Any] = {"algorithm": algorithm, "clock": clock, "headers": headers, "max_entries": 3}
    at_once = limited(key=["ip", "header:X-Key"], **options)
    waiting = limited(key=["ip", "header:X-Key"], cost=lambda scope: 1, **options)
    for address, key in visits:
        clock.now += 1
        first, second = [
            await ask(come_from(address, app), headers={"x-key": key} if key else {}) for app in (at_once, waiting)
        ]
        assert (first.status, first.headers, first.body) == (second.status, second.headers, second.body)


async def test_what_is_remembered_of_keys_is_bounded() -> None:
    app = limited(key="header:X-Key", max_entries=100_000)
    for number in range(2500):
        assert (await ask(app, headers={"x-key": str(number)})).headers["x-ratelimit-remaining"] == "1"
    assert app._only is not None
    assert 0 < len(app._only.charges) <= 2048
    app._only.charges.clear()
    assert (await ask(app, headers={"x-key": "long" * 99})).headers["x-ratelimit-remaining"] == "1"
    assert len(app._only.charges) == 0


# -- headers

TWO = [
    {"name": "burst", "requests": 5, "window": "10s"},
    {"name": "day", "requests": 100, "window": "1d", "algorithm": "sliding_window"},
    {"name": "now", "requests": 9, "algorithm": "concurrency"},
]
HEADERS: list[tuple[Any, dict[str, str]]] = [
    (
        "legacy",
        {
            "x-ratelimit-limit": "5",
            "x-ratelimit-remaining": "4",
            "x-ratelimit-reset": "2",
            "x-ratelimit-window": "10",
        },
    ),
    (
        "draft-6",
        {
            "ratelimit-limit": "5",
            "ratelimit-remaining": "4",
            "ratelimit-reset": "2",
            "ratelimit-policy": "5;w=10",
        },
    ),
    (
        "draft-8",
        {
            "ratelimit-policy": '"burst";q=5;w=10, "day";q=100;w=86400, "now";q=9;qu="concurrent-requests"',
            "ratelimit": '"burst";r=4;t=2, "day";r=99;t=86800, "now";r=8;t=0',
        },
    ),
    (None, {}),
]


@pytest.mark.parametrize(("generation", "expected"), HEADERS)
async def test_headers_tell_what_is_left_in_the_words_of_their_generation(generation: Any, expected: Any) -> None:
    answer = await ask(RateLimit(hello, policies=TWO, headers=generation, clock=Clock()))
    assert answer.headers == {"content-type": "text/plain", **expected}


async def test_where_two_limits_speak_the_inner_one_is_heard() -> None:
    answer = await ask(limited(limited(requests=1), requests=9))
    assert answer.headers["x-ratelimit-limit"] == "1"
    answer = await ask(limited(limited(headers="draft-8", name="in"), headers="draft-8", name="out"))
    assert answer.headers["ratelimit"] == '"in";r=1;t=30, "out";r=1;t=30'


# -- what the program sees


async def test_the_program_can_give_back_what_a_request_was_charged() -> None:
    seen: list[Any] = []

    async def login(scope: Any, receive: Any, send: Any) -> None:
        usage = scope[USAGE]
        if scope["path"] == "/right":
            await usage.refund()
            await usage.refund()
        seen.append((usage.remaining, usage.retry_after, usage.limited))
        await hello(scope, receive, send)

    app = limited(login)
    assert await statuses(app, 5, "/right") == [200] * 5
    assert await statuses(app, 3, "/wrong") == [200, 200, 429]
    assert seen == [(1, 0, False)] * 6 + [(0, 0, False)]


async def test_a_request_that_was_not_charged_has_nothing_to_give_back() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await scope[USAGE].refund()
        assert scope[USAGE].remaining in (None, 2, 0)
        await hello(scope, receive, send)

    assert await statuses(limited(app, key=lambda _scope: None), 2) == [200, 200]
    assert await statuses(limited(app, cost=lambda _scope: 0), 2) == [200, 200]
    dry = limited(hello, dry_run=True)
    await statuses(dry, 2)
    dry.app = app
    await statuses(dry, 3)
    assert await statuses(limited(app, requests=1, algorithm="concurrency"), 2) == [200, 200]


# -- what cannot be right

MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"requests": 0}, ValueError, "requests must be an integer of 1 or more"),
    ({"requests": True}, ValueError, "requests must be an integer of 1 or more"),
    ({"window": 0}, ValueError, "window must be a millisecond or more"),
    ({"window": "1 moon"}, ValueError, "invalid duration"),
    ({"burst": 0}, ValueError, "burst must be an integer of 1 or more"),
    ({"burst": 5, "algorithm": "fixed_window"}, ValueError, "burst is for 'token_bucket'"),
    ({"algorithm": "leaky"}, ValueError, "algorithm must be 'token_bucket', 'sliding_window'"),
    ({"cost": 0}, ValueError, "cost must be an integer of 1 or more"),
    ({"cost": 21}, ValueError, "no request could ever pass: it costs 21, and burst is 20"),
    ({"cost": 101, "algorithm": "fixed_window"}, ValueError, "it costs 101, and requests is 100"),
    ({"cost": 2, "algorithm": "concurrency"}, ValueError, "every request counts 1"),
    ({"name": 'a"b'}, ValueError, "a name is up to 64 letters"),
    ({"on_store_failure": "panic"}, ValueError, "on_store_failure must be 'local', 'open', 'closed'"),
    ({"headers": "ietf"}, ValueError, "headers must be 'legacy', 'draft-6', 'draft-8' or None"),
    ({"skip": "/health"}, ValueError, "skip must be callable"),
    ({"on_limited": 429}, ValueError, "on_limited must be callable"),
    ({"max_entries": 0}, ValueError, "max_entries must be an integer of 1 or more"),
    ({"cleanup_interval": 0}, ValueError, "cleanup_interval must be above 0, or None, not 0"),
    ({"entry_ttl": -1}, ValueError, "entry_ttl must be 0 or more, not -1"),
    ({"key": "X-API-Key"}, ValueError, "key must be 'ip'"),
    ({"allow": "10.0.0.0/8"}, TypeError, "allow must be a list"),
    ({"deny": ["10.0.0.0/33"]}, ValueError, "deny: invalid range"),
    ({"store": MemoryStore()}, TypeError, "for memory leave it out"),
    ({"policies": {"requests": 1}}, TypeError, "policies must be a list"),
    ({"policies": ["100/minute"]}, TypeError, "a limit is a Limit or a mapping"),
    ({"policies": [{"requests": 1}], "window": "1h"}, ValueError, "belong into each of the policies"),
    ({"policies": [{"requests": 1}, {"requests": 2}]}, ValueError, "needs a name of its own"),
    ({"messages": {"name": "default"}}, ValueError, "needs a name of its own"),
    ({"messages": {"cost": 2}}, ValueError, "every message counts 1"),
    ({"messages": {"algorithm": "concurrency"}}, ValueError, "a message is over when it has come"),
]


@pytest.mark.parametrize(("options", "error", "words"), MISTAKES)
def test_a_mistake_is_told_where_it_is_made(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        RateLimit(hello, **options)

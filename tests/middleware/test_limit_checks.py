"""The classic mistakes around a limit are told once, and nothing is told where there is none."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.applications import Starlette

from asgi_express import Express, Router
from asgi_express.middleware import RateLimit, RealIP, TokenAuth
from asgi_express.security import TokenStore
from asgi_express.stores import MemoryStore
from tests.asgi import ask
from tests.middleware.doors import Opaque
from tests.middleware.limited import hello


def limit(app: Any = hello, **options: Any) -> RateLimit:
    return RateLimit(app, requests=1_000_000, burst=1_000_000, **options)


def says(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


async def come(app: Any, *requests: dict[str, Any]) -> None:
    """Send requests: headers, and what is otherwise in their scopes."""
    for request in requests:
        more = {key: value for key, value in request.items() if key != "headers"}

        async def there(scope: Any, receive: Any, send: Any, more: Any = more) -> None:
            await app({**scope, **more}, receive, send)

        assert (await ask(there, headers=request.get("headers", {}))).status == 200


LOCAL, PUBLIC, OTHER = ("10.0.0.1", 1), ("203.0.114.1", 1), ("203.0.114.2", 1)
MANY = [says(f"198.51.100.{number}") for number in range(10)]

PROXY = "seems to be a proxy: without RealIP in front all clients share one limit"
NO_ADDRESS = r"requests have no address, as over a Unix socket: .*put RealIP\(trusted_subnets=\['unix'\]\) in front"
ONE = "is the only address so far, of what proxies call 10 clients: .* with this proxy in its trusted_subnets"

MISTAKES: dict[str, tuple[Any, list[dict[str, Any]], str]] = {
    "a proxy that nobody looked behind": (limit(), [{"client": LOCAL, "headers": MANY[0]}], PROXY),
    "it does not matter that others came before": (
        limit(),
        [{"client": PUBLIC}, {"client": OTHER}, {"client": LOCAL, "headers": MANY[0]}],
        PROXY,
    ),
    "a proxy over a Unix socket": (limit(), [{"client": None, "headers": MANY[0]}], PROXY),
    "a Unix socket, and nobody tells who is there": (limit(), [{"client": None}], NO_ADDRESS),
    "RealIP does not trust the Unix socket": (RealIP(limit()), [{"client": None, "headers": MANY[0]}], NO_ADDRESS),
    "a proxy with a public address": (limit(), [{"client": PUBLIC, "headers": said} for said in MANY], ONE),
    "RealIP does not trust the proxy": (RealIP(limit()), [{"client": PUBLIC, "headers": said} for said in MANY], ONE),
    "Forwarded": (
        limit(),
        [{"client": PUBLIC, "headers": {"forwarded": f"for=_{number};proto=https"}} for number in range(10)],
        ONE,
    ),
    "a value falls back to the address": (
        limit(key=["header:X-API-Key", "query:key", "cookie:id", "actor"]),
        [{"client": LOCAL, "headers": MANY[0]}],
        PROXY,
    ),
    "routes before the match": (limit(key=["ip", "route"]), [{}], "key='route' before the match makes one limit"),
    "nobody looks for an actor": (limit(key="actor"), [{}] * 100, "key='actor', and none of 100 requests had one"),
}


async def test_a_proxy_that_comes_late_is_told_of_soon(caplog: pytest.LogCaptureFixture) -> None:
    app = limit()
    await come(app, *[{"client": LOCAL}] * 2000)  # a health check, say
    assert caplog.records == []
    await come(app, *[{"client": LOCAL, "headers": MANY[0]}] * 64)
    assert len(caplog.records) == 1
    assert PROXY in caplog.text


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_is_told_once_with_what_to_do(mistake: str, caplog: pytest.LogCaptureFixture) -> None:
    app, requests, words = MISTAKES[mistake]
    await come(app, *requests, *requests)
    (record,) = [record for record in caplog.records if record.name == "asgi_express.ratelimit"]
    assert record.levelname == "WARNING"
    assert re.search(words, record.getMessage())


RIGHT: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "RealIP in front": (RealIP(limit()), [{"client": LOCAL, "headers": said} for said in MANY]),
    "one client behind RealIP": (RealIP(limit()), [{"client": LOCAL, "headers": MANY[0]}] * 20),
    "uvicorn has looked": (limit(), [{"client": ("10.0.0.9", 0), "headers": MANY[0]}] * 20),
    "clients with addresses of their own": (
        limit(),
        [{"client": PUBLIC}, {"client": OTHER}, *({"client": PUBLIC, "headers": said} for said in MANY)],
    ),
    "one client and its own proxy": (limit(), [{"client": PUBLIC, "headers": MANY[0]}] * 20),
    "a client makes up what is on the left": (
        limit(),
        [{"client": PUBLIC, "headers": says(f"198.51.100.{number}, 198.51.100.1")} for number in range(20)],
    ),
    "no proxy": (limit(), [{"client": LOCAL}] * 20),
    "after a thousand requests nobody looks any more": (
        limit(),
        [{"client": PUBLIC}] * 1000 + [{"client": PUBLIC, "headers": said} for said in MANY],
    ),
    "a key of one's own": (limit(key=lambda _scope: "all"), [{"client": LOCAL, "headers": MANY[0]}]),
    "the key needs no address": (limit(key="header:X-Key"), [{"headers": {"x-key": "k", **MANY[0]}, "client": LOCAL}]),
    "actors, and the anonymous": (
        limit(key="actor"),
        [*[{}] * 50, {"asgi_express.actor": None}, *[{}] * 100],
    ),
}


@pytest.mark.parametrize("case", RIGHT)
async def test_where_there_is_no_mistake_nothing_is_told(case: str, caplog: pytest.LogCaptureFixture) -> None:
    app, requests = RIGHT[case]
    await come(app, *requests)
    assert caplog.records == []


async def test_several_limits_tell_it_once(caplog: pytest.LogCaptureFixture) -> None:
    policies = [{"name": name, "requests": 10} for name in "abc"]
    await come(RateLimit(hello, policies=policies), {"client": LOCAL, "headers": MANY[0]})
    assert len(caplog.records) == 1


async def test_on_a_route_the_route_is_known(caplog: pytest.LogCaptureFixture) -> None:
    app = Express()
    app.get("/", RateLimit(key="route"), Opaque(hello))
    await come(app, {})
    router = Router()
    router.post_match(RateLimit(key="route"))
    router.get("/", Opaque(hello))
    await come(router, {})
    assert caplog.records == []


# -- what is known when the app is put together

AUTH: dict[str, Any] = {"store": TokenStore(MemoryStore())}
TOO_LATE = "{} is inside of RateLimit and comes too late for it: put it outside"


@pytest.mark.parametrize(
    ("key", "inner", "told"),
    [
        ("ip", RealIP(hello), ["RealIP"]),
        ("header:X-API-Key", Opaque(RealIP(Opaque(hello))), ["RealIP"]),
        ("actor", RealIP(TokenAuth(hello, **AUTH)), ["RealIP", "TokenAuth"]),
        (["ip", "actor"], TokenAuth(hello, **AUTH), ["TokenAuth"]),
        ("ip", TokenAuth(hello, **AUTH), []),
        ("route", RealIP(hello), []),
        (lambda _scope: "k", RealIP(hello), []),
        ("ip", hello, []),
    ],
)
def test_who_comes_too_late_is_told_when_the_app_is_made(
    key: Any, inner: Any, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    RateLimit(inner, key=key)
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [TOO_LATE.format(it) for it in told]


@pytest.mark.parametrize("is_right", [True, False])
async def test_the_order_of_add_middleware_is_told_at_the_start(
    is_right: bool, caplog: pytest.LogCaptureFixture
) -> None:
    host = Starlette()
    kinds: list[Any] = [RateLimit, RealIP] if is_right else [RealIP, RateLimit]  # the last one is outermost
    for kind in kinds:
        host.add_middleware(kind)
    host.build_middleware_stack()
    assert [TOO_LATE.format("RealIP") in record.getMessage() for record in caplog.records] == [True] * (not is_right)


def test_a_chain_without_an_end_is_no_trap() -> None:
    app = Opaque(hello)
    app.app = app
    RateLimit(app)

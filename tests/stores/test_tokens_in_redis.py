"""Opaque tokens in a real Redis: what lies there, and what happens when it is away."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asgi_express.middleware import TokenAuth
from asgi_express.security import Actor, Policies, Policy, TokenStore
from asgi_express.stores import RedisStore, StoreUnavailable
from tests.asgi import ask
from tests.stores.redis_server import RedisServer
from tests.stores.test_redis import DEADLINE, FAULTS, SLACK

SECRET = "a secret of some length"
ADA = Actor("ada", {"role": "editor", "teams": ["math"]})
POLICIES = Policies([Policy("all", "*", "*", groups="users")])


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    redis_server.ask("FLUSHALL")
    made = RedisStore(redis_server.url, timeout=DEADLINE)
    await answered(made)
    yield made
    await made.aclose()


async def answered(store: RedisStore) -> float:
    """Wait until the store answers; return how long that took, in seconds."""
    start = time.monotonic()
    while True:
        try:
            await store.get("anything")
        except StoreUnavailable:
            assert time.monotonic() - start < 10
            await asyncio.sleep(0.005)
        else:
            return time.monotonic() - start


def key_of(token: str) -> str:
    return "asgi_express:token:" + hashlib.sha256(token.encode()).hexdigest()


async def test_a_token_is_made_validated_and_revoked(store: RedisStore, redis_server: RedisServer) -> None:
    tokens = TokenStore(store, policies=POLICIES, secret=SECRET)
    token = await tokens.create(ADA, "users", expires="1m", meta={"device": ["phone"]})
    other = await tokens.create(ADA)
    grant = await tokens.validate(token)
    assert grant is not None
    assert (grant.actor, grant.scope, grant.meta) == (ADA, POLICIES.scope("users"), {"device": ("phone",)})
    assert 0 <= time.time() + 60 - grant.expires < 10
    await tokens.revoke(token)
    assert await tokens.validate(token) is None
    assert await tokens.validate(other) is not None
    assert redis_server.ask("DBSIZE") == b":1\r\n"


async def test_what_one_process_has_made_is_valid_in_another(store: RedisStore, redis_server: RedisServer) -> None:
    elsewhere = RedisStore(redis_server.url, timeout=DEADLINE)
    await answered(elsewhere)
    token = await TokenStore(store, secret=SECRET).create(ADA)
    there = TokenStore(elsewhere, secret=SECRET)
    assert await there.validate(token) is not None
    await there.revoke(token)
    assert await TokenStore(store, secret=SECRET).validate(token) is None
    await elsewhere.aclose()


async def test_who_reads_the_database_cannot_use_what_is_there(store: RedisStore, redis_server: RedisServer) -> None:
    tokens = TokenStore(store, secret=SECRET)
    token = await tokens.create(ADA, expires="1m")
    names = redis_server.ask("KEYS", "*")
    assert names == b"*1\r\n$%d\r\n%b\r\n" % (len(key_of(token)), key_of(token).encode())
    kept = redis_server.ask("GET", key_of(token))
    assert json.loads(kept.split(b"\r\n")[1])["actor"] == "ada"
    text, _, signature = token.partition(".")
    for part in (token, text, signature, SECRET):
        assert part.encode() not in names + kept
    stolen = key_of(token).rpartition(":")[2]
    for guess in (stolen, f"{stolen}.{signature}", key_of(token)):
        assert await tokens.validate(guess) is None


async def test_who_writes_to_the_database_cannot_make_a_token_without_the_secret(
    store: RedisStore, redis_server: RedisServer
) -> None:
    tokens = TokenStore(store, secret=SECRET)
    kept = redis_server.ask("GET", key_of(await tokens.create(ADA))).split(b"\r\n")[1].decode()
    redis_server.ask("SET", key_of("made-up"), kept)
    assert await TokenStore(store).validate("made-up") is not None, "so much for a store without one"
    assert await tokens.validate("made-up") is None
    redis_server.ask("SET", key_of("made-up.AAAA"), kept)
    assert await tokens.validate("made-up.AAAA") is None


async def test_redis_forgets_a_token_when_it_ends(store: RedisStore, redis_server: RedisServer) -> None:
    tokens = TokenStore(store)
    token = await tokens.create(ADA, expires="50s")
    left = int(redis_server.ask("PTTL", key_of(token))[1:])
    assert 40_000 < left <= 50_000
    brief = await tokens.create(ADA, expires="50ms")
    async with asyncio.timeout(10):
        while await tokens.validate(brief) is not None:
            await asyncio.sleep(0.005)
        while redis_server.ask("EXISTS", key_of(brief)) == b":1\r\n":
            await asyncio.sleep(0.005)
    assert await tokens.validate(token) is not None


async def test_a_token_ends_even_where_redis_still_has_it(store: RedisStore, redis_server: RedisServer) -> None:
    tokens = TokenStore(store)
    token = await tokens.create(ADA, expires="50ms")
    redis_server.ask("PERSIST", key_of(token))
    async with asyncio.timeout(10):
        while await tokens.validate(token) is not None:
            await asyncio.sleep(0.005)
    assert redis_server.ask("EXISTS", key_of(token)) == b":1\r\n"


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_while_redis_is_away_the_public_is_served_and_the_rest_refused_in_time(
    store: RedisStore, redis_server: RedisServer, fault: Any
) -> None:
    tokens = TokenStore(store, policies=POLICIES, secret=SECRET)
    token = await tokens.create(ADA, "users")

    async def hello(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    open_app = TokenAuth(hello, store=tokens)
    guarded = TokenAuth(_Guarded(hello), store=tokens)
    headers = {"authorization": f"Bearer {token}"}
    assert (await ask(guarded, headers=headers)).status == 200
    with fault(redis_server):
        for _ in range(8):
            start = time.monotonic()
            assert (await ask(open_app, headers=headers)).status == 200
            answer = await ask(guarded, headers=headers)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert (await ask(guarded, headers={"authorization": "Bearer forged"})).status == 401
            with pytest.raises(StoreUnavailable):
                await tokens.revoke(token)
            assert time.monotonic() - start < 3 * DEADLINE + SLACK
    assert await answered(store) < 1.0


class _Guarded:
    """A firewall that lets every actor pass and nobody else."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["asgi_express.actor"] is None:
            challenge = scope["asgi_express.challenge"]
            await send({"type": "http.response.start", "status": challenge.status, "headers": challenge.headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, send)

"""The keys of an issuer, from a real server that is slow, broken, or changes its keys."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asgi_express.security import JWKS, JWTValidator
from asgi_express.security.jwks import Document
from asgi_express.stores import StoreUnavailable
from tests.security.issuer import Clock, Issuer, issuing
from tests.security.signing import AUDIENCE, ISSUER, NOW, SECRET, jwk, sign


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as served:
        yield served


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keys_of(issuer: Issuer, clock: Clock, **options: Any) -> JWKS:
    return JWKS(issuer.jwks, insecure=True, clock=clock, **options)


async def names(jwks: JWKS, kid: str | None = None, algorithm: str = "ES256") -> list[str | None]:
    return [key.kid for key in await jwks.find(kid, algorithm)]


async def unavailable(jwks: JWKS, kid: str | None = None) -> bool:
    try:
        await jwks.find(kid, "ES256")
    except StoreUnavailable:
        return True
    return False


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


# -- keeping


async def test_tokens_are_checked_with_the_keys_that_the_issuer_publishes(issuer: Issuer, clock: Clock) -> None:
    issuer.keys = [jwk("ES256", kid="k0"), jwk("RS256", 0, kid="k1"), jwk("EdDSA", kid="k2")]
    validator = JWTValidator(keys=keys_of(issuer, clock), issuer=ISSUER, audience=AUDIENCE, clock=lambda: float(NOW))
    for algorithm, kid in (("ES256", "k0"), ("RS256", "k1"), ("EdDSA", "k2"), ("ES256", None)):
        grant = await validator.validate(sign(algorithm, header={"kid": kid}))
        assert grant is not None
        assert grant.actor.id == "ada"
    assert await validator.validate(sign("RS256", header={"kid": "k0"})) is None
    assert await validator.validate(sign("HS256", header={"kid": "k0"})) is None
    assert await validator.validate(sign("ES256", number=1, header={"kid": "k0"})) is None
    assert issuer.requests == ["/jwks"]


async def test_nothing_is_fetched_before_the_first_token(issuer: Issuer, clock: Clock) -> None:
    jwks = keys_of(issuer, clock)
    assert repr(jwks) == f"<JWKS {issuer.jwks}>"
    assert issuer.requests == []


async def test_however_many_ask_at_once_one_fetch_is_under_way(issuer: Issuer, clock: Clock) -> None:
    issuer.open.clear()
    jwks = keys_of(issuer, clock)
    asking = [asyncio.create_task(names(jwks)) for _ in range(100)]
    await issuer.asked.wait()
    asking[0].cancel()
    issuer.open.set()
    assert await asyncio.gather(*asking[1:]) == [["k0"]] * 99
    assert asking[0].cancelled(), "who gives up waiting does not end it for the others"
    assert issuer.requests == ["/jwks"]


FRESHNESS: list[tuple[list[tuple[str, str]], float]] = [
    ([], 600),
    ([("cache-control", "public, max-age=900")], 900),
    ([("cache-control", 'Max-Age="900", must-revalidate')], 900),
    ([("cache-control", "max-age=900"), ("age", "300")], 600),
    ([("cache-control", "max-age=900"), ("age", "9000")], 60),
    ([("cache-control", "max-age=900"), ("age", "soon")], 900),
    ([("cache-control", "max-age=900"), ("age", "9" * 400)], 900),
    ([("cache-control", "max-age=0")], 60),
    ([("cache-control", "max-age=900, no-store")], 60),
    ([("cache-control", "no-cache")], 60),
    ([("cache-control", "max-age=999999999")], 86400),
    ([("cache-control", "max-age=99999999999999999999")], 600),
    ([("cache-control", "max-age=-1")], 600),
    ([("cache-control", "s-maxage=5")], 600),
    ([("cache-control", "max-age=900"), ("cache-control", "max-age=5")], 900),
]


@pytest.mark.parametrize(("headers", "seconds"), FRESHNESS)
async def test_keys_are_kept_as_long_as_the_issuer_says_within_bounds(
    issuer: Issuer, clock: Clock, headers: list[tuple[str, str]], seconds: float
) -> None:
    issuer.headers = [(name.encode(), value.encode()) for name, value in headers]
    jwks = keys_of(issuer, clock)
    await names(jwks)
    clock.now += seconds * 0.8 - 0.1
    await names(jwks)
    assert issuer.requests == ["/jwks"]
    clock.now += 0.2
    await names(jwks)
    await until(lambda: len(issuer.requests) == 2)


async def test_keys_are_renewed_before_their_time_is_over_and_nobody_waits(issuer: Issuer, clock: Clock) -> None:
    jwks = keys_of(issuer, clock)
    await names(jwks)
    issuer.keys = [jwk("ES256", 1, kid="k1")]
    issuer.open.clear()
    clock.now += 500
    assert await names(jwks) == ["k0"]
    assert await names(jwks) == ["k0"]
    issuer.open.set()
    async with asyncio.timeout(10):
        while await names(jwks) != ["k1"]:
            await asyncio.sleep(0)
    assert issuer.requests == ["/jwks"] * 2


async def test_keys_whose_time_is_over_are_not_used_where_new_ones_can_be_had(issuer: Issuer, clock: Clock) -> None:
    jwks = keys_of(issuer, clock)
    await names(jwks)
    issuer.keys = [jwk("ES256", 1, kid="k1")]
    clock.now += 600
    assert await names(jwks) == ["k1"]


# -- keys that are not there


async def test_a_key_that_is_not_there_is_looked_for_once(issuer: Issuer, clock: Clock) -> None:
    jwks = keys_of(issuer, clock)
    assert await names(jwks, "k0") == ["k0"]
    issuer.keys.append(jwk("ES256", 1, kid="k1"))
    assert await names(jwks, "k1") == []
    clock.now += 30
    assert await asyncio.gather(*(names(jwks, "k1") for _ in range(50))) == [["k1"]] * 50
    assert issuer.requests == ["/jwks"] * 2


async def test_a_thousand_made_up_keys_cost_one_fetch(issuer: Issuer, clock: Clock) -> None:
    jwks = keys_of(issuer, clock)
    await names(jwks, "k0")
    clock.now += 30
    assert await asyncio.gather(*(names(jwks, f"x{number}") for number in range(1000))) == [[]] * 1000
    for number in range(1000):
        clock.now += 0.029
        assert await names(jwks, f"y{number}") == []
    assert len(issuer.requests) == 2


async def test_a_key_that_is_there_for_another_algorithm_is_not_looked_for(issuer: Issuer, clock: Clock) -> None:
    jwks = keys_of(issuer, clock)
    await names(jwks)
    clock.now += 100
    assert await names(jwks, "k0", "RS256") == []
    assert await names(jwks, None, "RS256") == []
    assert issuer.requests == ["/jwks"]


async def test_a_key_without_a_name_is_tried_for_every_name(issuer: Issuer, clock: Clock) -> None:
    issuer.keys = [jwk("ES256")]
    jwks = keys_of(issuer, clock)
    clock.now += 100
    assert await names(jwks, "anything") == [None]
    assert issuer.requests == ["/jwks"]


async def test_where_it_cannot_be_known_whether_there_is_such_a_key_that_is_said(issuer: Issuer, clock: Clock) -> None:
    jwks = keys_of(issuer, clock)
    await names(jwks)
    issuer.status = 500
    clock.now += 30
    assert await unavailable(jwks, "k1")
    assert await unavailable(jwks, "k2")
    assert await names(jwks, "k0") == ["k0"]
    assert len(issuer.requests) == 2
    issuer.status = 200
    clock.now += 30
    assert await names(jwks, "k1") == []


# -- an issuer that is away


async def test_the_keys_serve_on_while_the_issuer_is_broken_but_not_for_ever(
    issuer: Issuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    jwks = keys_of(issuer, clock)
    await names(jwks)
    issuer.status = 500
    clock.now += 600
    assert await names(jwks) == ["k0"]
    assert caplog.messages == [
        f"{issuer.jwks} cannot be fetched (1 in a row): ValueError('the answer is 500 Internal Server Error')"
    ]
    clock.now += 3599
    assert await names(jwks) == ["k0"]
    clock.now += 1
    assert await unavailable(jwks)
    issuer.status = 200
    clock.now += 30
    assert await names(jwks) == ["k0"]


async def test_while_the_issuer_hangs_nobody_waits_twice(issuer: Issuer, clock: Clock) -> None:
    jwks = keys_of(issuer, clock, timeout=0.2)
    await names(jwks)
    issuer.open.clear()
    clock.now += 600
    start = time.monotonic()
    assert await names(jwks) == ["k0"]
    assert time.monotonic() - start > 0.15
    start = time.monotonic()
    for _ in range(20):
        clock.now += 31
        assert await names(jwks) == ["k0"]
    assert time.monotonic() - start < 20 * 0.2 / 2


async def test_attempts_come_after_1_2_4_seconds_and_no_faster(issuer: Issuer, clock: Clock) -> None:
    jwks = keys_of(issuer, clock)
    issuer.status = 503
    attempts = []
    start = clock.now
    for second in range(120):
        clock.now = start + second
        before = len(issuer.requests)
        assert await unavailable(jwks)
        assert await unavailable(jwks, "k1")
        if len(issuer.requests) > before:
            attempts.append(second)
            assert len(issuer.requests) == before + 1
    assert attempts == [0, 1, 3, 7, 15, 31, 61, 91]
    issuer.status = 200
    clock.now = start + 121
    assert await names(jwks) == ["k0"]


async def test_an_issuer_that_does_not_listen_is_away(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    async with issuing() as issuer:
        jwks = keys_of(issuer, clock)
        assert await names(jwks) == ["k0"]
    clock.now += 600
    assert await names(jwks) == ["k0"]
    clock.now += 3600
    with pytest.raises(StoreUnavailable, match=f"the keys of {issuer.jwks} cannot be had") as caught:
        await names(jwks)
    assert caught.value.status == 503
    assert all("cannot be fetched" in message for message in caplog.messages)


def test_event_loops_one_after_another_have_fetches_of_their_own(clock: Clock) -> None:
    async def first() -> JWKS:
        async with issuing() as issuer:
            jwks = keys_of(issuer, clock)
            issuer.open.clear()
            asking = asyncio.create_task(names(jwks))
            await issuer.asked.wait()
            asking.cancel()
            return jwks

    async def second(jwks: JWKS) -> list[str | None]:
        return await names(jwks)

    async def fetch(url: str) -> Document:
        return Document(json.dumps({"keys": [jwk("ES256", kid="k0")]}).encode())

    jwks = asyncio.run(first())
    jwks._custom_fetch = fetch
    assert asyncio.run(second(jwks)) == ["k0"]


# -- what is no key

UNUSABLE: list[tuple[Any, str]] = [
    (7, "it is not an object"),
    ("k", "it is not an object"),
    ({}, "nothing says what algorithm a key of kty None is for"),
    (jwk("HS256", kid="s"), "it is a secret, and everybody can read it"),
    (jwk("RS256", use="enc"), "it is not for verifying signatures"),
    (jwk("RS256", alg="RSA-OAEP"), "algorithm must be one of"),
    (jwk("RS256", d="AQAB"), "it is a private key"),
    (jwk("RS256", n="AQAB"), "2048 to 16384 bits|cannot be read"),
    (jwk("RS256", kid=7), "kid must be text"),
    (jwk("RS256", key_ops=7), "not iterable"),
    (jwk("ES256", crv="P-384"), "cannot be read"),
    ({"kty": "EC"}, "nothing says"),
]


@pytest.mark.parametrize(("unusable", "reason"), UNUSABLE, ids=range(len(UNUSABLE)))
async def test_a_key_that_cannot_be_used_is_left_out_and_the_log_says_why(
    issuer: Issuer, clock: Clock, unusable: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.keys.insert(0, unusable)
    jwks = keys_of(issuer, clock)
    assert await names(jwks) == ["k0"]
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"{issuer.jwks}: the key ")
    assert any(words in caplog.messages[0] for words in reason.split("|"))


async def test_rsa_keys_that_name_no_algorithm_are_for_the_one_that_is_said(issuer: Issuer, clock: Clock) -> None:
    issuer.keys = [jwk("RS256", alg=None, kid="k0")]
    assert await names(keys_of(issuer, clock), "k0", "RS256") == ["k0"]
    assert await names(keys_of(issuer, clock, rsa_algorithm="PS256"), "k0", "RS256") == []


NO_SETS: list[bytes] = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"keys": null}',
    b'{"keys": 7}',
    b'{"keys": []}',
    b'{"keys": [{}]}',
    b"<html>",
    b"\xff\xfe",
    b"[" * 100_000,
    json.dumps({"keys": [jwk("ES256")] * 101}).encode(),
    json.dumps({"keys": [jwk("ES256")], "more": "x" * (256 << 10)}).encode(),
]


@pytest.mark.parametrize("body", NO_SETS, ids=range(len(NO_SETS)))
async def test_what_is_no_set_of_keys_leaves_the_old_one_in_place(issuer: Issuer, clock: Clock, body: bytes) -> None:
    jwks = keys_of(issuer, clock)
    await names(jwks)
    issuer.body = body
    clock.now += 600
    assert await names(jwks) == ["k0"]
    assert len(issuer.requests) == 2
    assert await unavailable(keys_of(issuer, clock))


# -- discovery


async def test_the_issuer_says_where_its_keys_are(issuer: Issuer, clock: Clock) -> None:
    for name in (issuer.url, issuer.url + "/"):
        issuer.pages["/.well-known/openid-configuration"] = {"issuer": name, "jwks_uri": f"{issuer.url}/elsewhere"}
        assert await names(JWKS(issuer=name, insecure=True, clock=clock)) == ["k0"]
    assert issuer.requests == ["/.well-known/openid-configuration", "/elsewhere"] * 2


@pytest.mark.parametrize(
    "page",
    [
        {"issuer": "https://evil.example", "jwks_uri": "{url}/jwks"},
        {"issuer": "{url}/", "jwks_uri": "{url}/jwks"},
        {"jwks_uri": "{url}/jwks"},
        {"issuer": "{url}"},
        {"issuer": "{url}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{url}", "jwks_uri": 7},
        [],
    ],
)
async def test_what_another_issuer_says_is_not_believed(issuer: Issuer, clock: Clock, page: Any) -> None:
    issuer.pages["/.well-known/openid-configuration"] = json.loads(json.dumps(page).replace("{url}", issuer.url))
    assert await unavailable(JWKS(issuer=issuer.url, insecure=True, clock=clock))
    assert issuer.requests == ["/.well-known/openid-configuration"]


# -- options


async def test_the_fetching_can_be_replaced(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    fetched: list[str] = []

    async def fetch(url: str) -> Document:
        fetched.append(url)
        if len(fetched) > 1:
            raise RuntimeError("the proxy is away")
        return Document(json.dumps({"keys": [jwk("ES256", kid="k0")]}).encode(), max_age=100)

    jwks = JWKS("https://a.example/jwks", fetch=fetch, clock=clock)
    assert await names(jwks) == ["k0"]
    clock.now += 100
    assert await names(jwks) == ["k0"]
    assert fetched == ["https://a.example/jwks"] * 2
    assert "RuntimeError('the proxy is away')" in caplog.messages[0]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "give either url or issuer"),
    ({"url": "https://a.example", "issuer": "https://a.example"}, "give either url or issuer"),
    ({"url": "http://a.example"}, "must begin with https://"),
    ({"url": "file:///etc/passwd", "insecure": True}, "must begin with https://"),
    ({"url": "ftp://a.example", "insecure": True}, "must begin with https://"),
    ({"url": "https://"}, "is not a URL of a host and a path"),
    ({"url": "https://user:word@a.example"}, "is not a URL of a host and a path"),
    ({"url": "https://a.example/#x"}, "is not a URL of a host and a path"),
    ({"url": "https://ä.example"}, "is not a URL of a host and a path"),
    ({"url": "https://a.example/a b"}, "has a space"),
    ({"url": "https://a.example/\x7f"}, "is not a URL of a host and a path"),
    ({"url": "https://a.example:99999"}, "is no URL"),
    ({"url": "https://[a"}, "is no URL"),
    ({"issuer": "http://a.example"}, "must begin with https://"),
    ({"rsa_algorithm": "HS256"}, "rsa_algorithm must be one such as"),
    ({"min_ttl": 0}, "min_ttl must be above 0"),
    ({"min_ttl": 20, "max_ttl": 10}, "min_ttl must be above 0 and not above max_ttl"),
    ({"ttl": 1}, "ttl must be between"),
    ({"max_stale": -1}, "max_stale must not be below 0"),
    ({"cooldown": -1}, "cooldown must not be below 0"),
    ({"timeout": 0}, "timeout must be above 0"),
    ({"max_size": "1z"}, "invalid size"),
]


@pytest.mark.parametrize(("options", "words"), WRONG)
def test_an_option_that_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    where: dict[str, Any] = {} if not options or {"url", "issuer"} & set(options) else {"url": "https://a.example/jwks"}
    with pytest.raises(ValueError, match=words):
        JWKS(**where, **options)


async def test_a_refused_key_name_does_not_break_the_log(
    issuer: Issuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.keys.append({"kty": "oct", "kid": "a\nb", "k": SECRET})
    with caplog.at_level(logging.WARNING):
        await names(keys_of(issuer, clock))
    assert "'a\\nb'" in caplog.messages[0]
    assert SECRET not in caplog.text

"""Opaque tokens and challenges."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import pytest

from asgi_express.security import Actor, Challenge, Policies, Policy, TokenStore
from asgi_express.stores import MemoryStore, StoreUnavailable

SECRET = "a secret of some length"
ADA = Actor("ada", {"role": "editor", "teams": ["math"]})
POLICIES = Policies([Policy("read", "read", "*", groups="users"), Policy("burn", "burn", "*", groups="staff")])


class Spy(MemoryStore):
    """Remembers what was kept and counts what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, bytes] = {}
        self.asked = 0

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        self.kept[key] = value
        await super().set(key, value, ttl=ttl)

    async def get(self, key: str) -> bytes | None:
        self.asked += 1
        return await super().get(key)


async def test_a_token_stands_for_an_actor_a_scope_and_facts() -> None:
    tokens = TokenStore(MemoryStore(), policies=POLICIES, clock=lambda: 1000.0)
    token = await tokens.create(ADA, "users", expires="1m", meta={"device": ["phone"]})
    grant = await tokens.validate(token)
    assert grant is not None
    assert (grant.actor, grant.scope, grant.expires) == (ADA, POLICIES.scope("users"), 1060.0)
    assert grant.meta == {"device": ("phone",)}
    both = await tokens.validate(await tokens.create(ADA, ["users", "staff"]))
    assert both is not None
    assert both.scope == POLICIES.scope("users", "staff")


async def test_without_groups_a_token_brings_no_scope() -> None:
    tokens = TokenStore(MemoryStore())
    grant = await tokens.validate(await tokens.create(ADA))
    assert grant is not None
    assert grant.scope is None


async def test_the_store_never_sees_the_token() -> None:
    store = Spy()
    token = await TokenStore(store, secret=SECRET).create(ADA)
    assert list(store.kept) == ["token:" + hashlib.sha256(token.encode()).hexdigest()]
    assert token.encode() not in b"".join(store.kept.values())


async def test_tokens_are_long_and_never_the_same() -> None:
    tokens = TokenStore(MemoryStore())
    made = {await tokens.create(ADA) for _ in range(100)}
    assert (len(made), {len(token) for token in made}) == (100, {43})
    assert len(await TokenStore(MemoryStore(), token_length=64).create(ADA)) == 86


async def test_a_revoked_token_is_not_valid() -> None:
    tokens = TokenStore(MemoryStore(), secret=SECRET)
    first, second = await tokens.create(ADA), await tokens.create(ADA)
    await tokens.revoke(first)
    await tokens.revoke("nonsense")
    assert await tokens.validate(first) is None
    assert await tokens.validate(second) is not None


async def test_a_token_that_was_valid_is_asked_for_again_and_one_like_it_is_not() -> None:
    store = Spy()
    tokens = TokenStore(store, secret=SECRET)
    token = await tokens.create(ADA)
    grants = [await tokens.validate(token) for _ in range(3)]
    assert (grants[1:], store.asked) == ([grants[0]] * 2, 3)
    text, _, signature = token.rpartition(".")
    for other in (text, f"{text}.{signature[::-1]}", f"{text[::-1]}.{signature}", f"{token} ", token.lower()):
        assert await tokens.validate(other) is None
    assert store.asked == 3
    await tokens.revoke(token)
    assert await tokens.validate(token) is None


async def test_what_a_token_stands_for_is_what_the_store_has_now() -> None:
    store = Spy()
    tokens = TokenStore(store)
    token = await tokens.create(ADA)
    await tokens.validate(token)
    key, value = next(iter(store.kept.items()))
    await store.set(key, value.replace(b'"ada"', b'"eve"'), ttl=60)
    grant = await tokens.validate(token)
    assert grant is not None
    assert grant.actor.id == "eve"


async def test_what_is_remembered_of_tokens_is_bounded_and_is_no_token() -> None:
    tokens = TokenStore(MemoryStore(), secret=SECRET)
    for number in range(1500):
        grant = await tokens.validate(await tokens.create(Actor(f"user {number}")))
        assert grant is not None
        assert grant.actor.id == f"user {number}"
        assert await tokens.validate(f"forged.{number}") is None
    assert 0 < len(tokens._signed) <= 1024
    assert 0 < len(tokens._grants) <= 1024
    assert {len(key) for key in tokens._signed} == {len("token:") + 64}
    tokens._grants.clear()
    large = Actor("ada", {"about": "x" * 2000})
    assert await tokens.validate(await tokens.create(large)) is not None
    assert len(tokens._grants) == 0


async def test_a_token_ends_even_where_the_store_still_has_it() -> None:
    now = [1000.0]
    tokens = TokenStore(MemoryStore(), default_expiration=60, clock=lambda: now[0])
    token = await tokens.create(ADA)
    now[0] = 1059.9
    assert await tokens.validate(token) is not None
    now[0] = 1060.0
    assert await tokens.validate(token) is None


async def test_the_store_forgets_it_then() -> None:
    now = [1000.0]
    tokens = TokenStore(MemoryStore(clock=lambda: now[0]), clock=lambda: 0.0)
    token = await tokens.create(ADA, expires=5)
    now[0] = 1005.0
    assert await tokens.validate(token) is None


FOREIGN: list[Any] = ["", ".", "x", "x.y", "ü", "a\x00b", "a" * 5000, "." * 1_000_000]


@pytest.mark.parametrize("token", FOREIGN, ids=[str(number) for number in range(len(FOREIGN))])
async def test_with_a_secret_what_was_not_made_here_never_reaches_the_store(token: str) -> None:
    store = Spy()
    tokens = TokenStore(store, secret=SECRET)
    assert await tokens.validate(token) is None
    assert store.asked == 0
    assert await TokenStore(store).validate(token) is None


async def test_a_changed_token_is_not_valid() -> None:
    store = Spy()
    tokens = TokenStore(store, secret=SECRET)
    token = await tokens.create(ADA)
    changed = [
        token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :] for place in range(len(token))
    ]
    for each in (*changed, token + "=", token.partition(".")[0], token.swapcase(), " " + token):
        assert await tokens.validate(each) is None, each
    assert await TokenStore(store, secret="another secret of length").validate(token) is None
    assert store.asked == 0


async def test_secrets_rotate() -> None:
    store = MemoryStore()
    old = await TokenStore(store, secret=SECRET).create(ADA)
    both = TokenStore(store, secret=["the new secret, longer", SECRET])
    new = await both.create(ADA)
    assert await both.validate(old) is not None
    assert await both.validate(new) is not None
    assert await TokenStore(store, secret=SECRET).validate(new) is None


async def test_a_change_of_policies_reaches_tokens_that_are_out(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    token = await TokenStore(store, policies=POLICIES).create(Actor("ada\n"), "users")
    stricter = Policies([Policy("nothing", "*", "*", "deny", groups="users")])
    grant = await TokenStore(store, policies=stricter).validate(token)
    assert grant is not None
    assert grant.scope == stricter.scope("users")
    with caplog.at_level(logging.WARNING):
        assert await TokenStore(store, policies=Policies([])).validate(token) is None
        assert await TokenStore(store).validate(token) is None
    assert "'ada\\n'" in caplog.messages[0]


async def test_what_cannot_be_created_is_refused() -> None:
    store = Spy()
    tokens = TokenStore(store, policies=POLICIES)
    refused: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception]]] = [
        ((ADA, "admins"), {}, LookupError),
        ((ADA,), {"expires": 0}, ValueError),
        ((ADA,), {"expires": "-1s"}, ValueError),
        ((ADA,), {"meta": {"when": object()}}, TypeError),
        ((ADA,), {"meta": {"when": float("nan")}}, ValueError),
        ((Actor("ada", {"tags": {"x"}}),), {}, TypeError),
    ]
    for arguments, options, error in refused:
        with pytest.raises(error):
            await tokens.create(*arguments, **options)
    with pytest.raises(ValueError, match="needs a store with policies"):
        await TokenStore(store).create(ADA, "users")
    assert store.kept == {}


@pytest.mark.parametrize(
    "options",
    [
        {"token_length": 15},
        {"token_length": 257},
        {"token_length": True},
        {"token_length": 32.0},
        {"secret": "short"},
        {"secret": ["long enough to be one", "short"]},
        {"secret": [7]},
        {"default_expiration": 0},
        {"default_expiration": "soon"},
    ],
)
def test_an_option_that_cannot_be_is_refused(options: Any) -> None:
    with pytest.raises(ValueError, match=r"TokenStore|duration"):
        TokenStore(MemoryStore(), **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"store": "redis://:hunter2@host"}, "store must be a MemoryStore, .* not a str$"),
        ({"store": None}, "store must be"),
        ({"policies": []}, "policies must be a Policies object, not list"),
    ],
)
def test_what_is_no_store_and_no_policies_is_refused(options: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        TokenStore(**{"store": MemoryStore(), **options})


async def test_a_store_that_is_away_is_said_to_be() -> None:
    class Away(MemoryStore):
        async def get(self, key: str) -> bytes | None:
            raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await TokenStore(Away()).validate("x")


# -- challenges

METADATA = "https://a.example/.well-known/oauth-protected-resource"


@pytest.mark.parametrize(
    ("challenge", "status", "headers"),
    [
        (Challenge(), 401, [(b"www-authenticate", b"Bearer")]),
        (Challenge(realm="a b"), 401, [(b"www-authenticate", b'Bearer realm="a b"')]),
        (Challenge().because("invalid_token"), 401, [(b"www-authenticate", b'Bearer error="invalid_token"')]),
        (Challenge(error="invalid_request"), 400, [(b"www-authenticate", b'Bearer error="invalid_request"')]),
        (
            Challenge("DPoP", "r", "insufficient_scope"),
            403,
            [(b"www-authenticate", b'DPoP realm="r", error="insufficient_scope"')],
        ),
        (
            Challenge(resource_metadata=METADATA),
            401,
            [(b"www-authenticate", f'Bearer resource_metadata="{METADATA}"'.encode())],
        ),
        (Challenge(error="unavailable"), 503, [(b"retry-after", b"1")]),
    ],
)
def test_a_challenge_is_a_status_and_headers(challenge: Challenge, status: int, headers: Any) -> None:
    assert (challenge.status, challenge.headers) == (status, headers)


@pytest.mark.parametrize(
    "options", [{"scheme": "a b"}, {"scheme": ""}, {"realm": 'a"b'}, {"realm": "a\r\nb"}, {"realm": "ü"}]
)
def test_a_challenge_fits_in_a_header(options: Any) -> None:
    with pytest.raises(ValueError, match="Challenge: "):
        Challenge(**options)

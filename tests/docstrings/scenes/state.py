"""Where state is kept: stores, tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgi_express.security import Actor, Policies, Policy, TokenStore
from asgi_express.stores import MemoryStore, RedisStore
from tests.docstrings.scene import PATIENCE, Hook, Names, Scene

USERS = Policies([Policy("readers", "read", "article:*", groups="users")])

KEPT: dict[str, dict[str, Any]] = {
    "get": {"value": b"eve"},
    "set": {"await store.get('user:7')": b"ada"},
    "add": {"await store.add('nonce:abc', b'', ttl=300)": False},
    "replace": {"kept": True, "await store.get('user:7')": b"grace"},
    "touch": {"alive": True},
    "delete": {"await store.get('user:7')": None},
    "aclose": {"values": [None], "await store.get('user:7')": b"eve"},
}
"""What is there after the example of a method, where ``user:7`` was ``b"eve"`` before."""


async def fill(names: Names) -> None:
    await names["store"].set("user:7", b"eve", ttl=60)


async def in_memory(names: Names) -> None:
    names["store"] = MemoryStore()
    await fill(names)


async def in_redis(names: Names) -> None:
    names["store"] = names["RedisStore"](names["world"].redis(), prefix=f"{names['world'].folder}:")
    await fill(names)


def redis_stores() -> Names:
    """Return ``RedisStore`` as a function that is patient, and remembers what it made, to close it."""
    made: list[RedisStore] = []

    def make(*args: Any, **options: Any) -> RedisStore:
        made.append(RedisStore(*args, **{"timeout": PATIENCE, **options}))
        return made[-1]

    return {"RedisStore": make, "made": made}


async def close_stores(names: Names) -> None:
    for store in names["made"]:
        await store.aclose()


def with_redis(names: Callable[[], Names] = dict, **more: Any) -> Scene:
    """Return a scene whose stores are in a real Redis."""
    return Scene(names=lambda: {**redis_stores(), **names()}, last=close_stores, **more)


async def with_tokens(names: Names) -> None:
    names["tokens"] = TokenStore(MemoryStore(full="refuse"), policies=USERS)
    await issue(names)


async def issue(names: Names) -> None:
    names["token"] = await names["tokens"].create(Actor("ada"))


REFUSED = {"add": ["If in line 1"]}
"""What does not run: the refusal of what is new; that the second is refused, is asked afterwards."""


def methods(place: str, make: Callable[..., Scene], first: Hook) -> dict[str, Scene]:
    """Return the scenes of the methods of a store."""
    return {
        f"{place}.{name}": make(first=first, gives=gives, unreached=REFUSED.get(name, ()))
        for name, gives in KEPT.items()
    }


SCENES: dict[str, Scene] = {
    **methods("stores._protocol.Store", Scene, in_memory),
    **methods("stores.memory.MemoryStore", Scene, in_memory),
    **methods("stores.redis.RedisStore", with_redis, in_redis),
    "stores.memory.MemoryStore#1": Scene(then=fill, gives={"await store.get('user:7')": b"eve"}),
    "stores.memory.MemoryStore#2": Scene(then=fill, gives={"await store.get('user:7')": b"eve"}),
    "stores.redis.RedisStore#1": with_redis(
        swap={"redis://localhost:6379/0": "$REDIS"},
        then=fill,
        gives={"await store.get('user:7')": b"eve"},
    ),
    "stores.redis.RedisStore#2": with_redis(
        swap={"unix:///run/redis.sock": "$REDIS", "20ms": "10s"},
        then=fill,
        gives={"await store.get('user:7')": b"eve"},
    ),
    "stores.redis.RedisStore.execute": with_redis(
        first=in_redis, gives={"isinstance(visits, int)": True, "await store.execute('INCR', 'visits') - visits": 1}
    ),
    "security.tokens.TokenStore.create": Scene(
        first=with_tokens,
        gives={
            "(await tokens.validate(token)).scope": USERS.scope("users"),
            "dict((await tokens.validate(token)).meta)": {"device": "phone"},
        },
    ),
    "security.tokens.TokenStore.validate": Scene(first=with_tokens),
    "security.tokens.TokenStore.revoke": Scene(first=with_tokens),
    "security.tokens.TokenValidator.validate": Scene(first=with_tokens, gives={"grant.actor": Actor("ada")}),
    "security.tokens.TokenStore#1": Scene(then=issue, gives={"(await tokens.validate(token)).actor.id": "ada"}),
    "security.tokens.TokenStore#2": with_redis(
        names=lambda: {"policies": USERS},
        env={"TOKEN_KEY": "sixteen characters or more"},
        swap={"redis://localhost": "$REDIS"},
        gives={
            "(await tokens.validate(token)).actor.id": "ada",
            "(await tokens.validate(token)).scope": USERS.scope("users"),
            "token.count('.')": 1,
        },
    ),
}

"""What every store does, whatever it is made of."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asgi_express.stores import MemoryStore, RedisStore, Store
from tests.stores.redis_server import RedisServer

BYTES = bytes(range(256))


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """Each store in turn, empty."""
    if request.param == "memory":
        made: Store = MemoryStore()
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        server.ask("FLUSHALL")
        made = RedisStore(server.url, timeout=5)
    yield made
    await made.aclose()


async def test_a_key_that_was_never_set_has_no_value(store: Store) -> None:
    assert await store.get("a") is None
    assert await store.touch("a", ttl=60) is False
    assert await store.replace("a", b"1", ttl=60) is False
    await store.delete("a")
    assert await store.get("a") is None


@pytest.mark.parametrize("value", [b"", b"1", BYTES, b"x" * 100_000])
@pytest.mark.parametrize("key", ["a", "", "é:\r\n \x00", "k" * 1000])
async def test_what_is_set_is_what_comes_back_to_the_byte(store: Store, key: str, value: bytes) -> None:
    await store.set(key, value, ttl=60)
    assert await store.get(key) == value


async def test_set_takes_the_place_of_what_was_there(store: Store) -> None:
    await store.set("a", b"1", ttl=60)
    await store.set("a", b"2", ttl=60)
    assert await store.get("a") == b"2"


async def test_add_keeps_only_the_first_value(store: Store) -> None:
    assert await store.add("a", b"1", ttl=60) is True
    assert await store.add("a", b"2", ttl=60) is False
    assert await store.get("a") == b"1"


async def test_of_many_that_add_at_once_one_wins(store: Store) -> None:
    won = await asyncio.gather(*(store.add("a", b"%d" % number, ttl=60) for number in range(50)))
    assert won.count(True) == 1
    assert await store.get("a") == b"%d" % won.index(True)


async def test_replace_does_not_bring_back_what_was_deleted(store: Store) -> None:
    await store.set("a", b"1", ttl=60)
    assert await store.replace("a", b"2", ttl=60) is True
    assert await store.get("a") == b"2"
    await store.delete("a")
    assert await store.replace("a", b"3", ttl=60) is False
    assert await store.touch("a", ttl=60) is False
    assert await store.get("a") is None


async def test_touch_keeps_the_value(store: Store) -> None:
    await store.set("a", b"1", ttl=60)
    assert await store.touch("a", ttl=120) is True
    assert await store.get("a") == b"1"


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), 1e12, True, "60", None])
async def test_a_time_to_live_out_of_range_is_refused(store: Store, ttl: Any) -> None:
    await store.set("there", b"1", ttl=60)
    for method in (store.set, store.add):
        with pytest.raises(ValueError, match="ttl must be seconds above 0"):
            await method("a", b"1", ttl=ttl)
    with pytest.raises(ValueError, match="ttl must be seconds above 0"):
        await store.replace("there", b"1", ttl=ttl)
    with pytest.raises(ValueError, match="ttl must be seconds above 0"):
        await store.touch("there", ttl=ttl)
    assert await store.get("a") is None
    assert await store.get("there") == b"1"


async def test_it_can_be_closed_twice_and_used_again(store: Store) -> None:
    await store.set("a", b"1", ttl=60)
    await store.aclose()
    await store.aclose()
    assert await store.get("a") == b"1"


@pytest.mark.parametrize("kind", [MemoryStore, RedisStore])
async def test_the_examples_of_the_documentation_run(kind: Any) -> None:
    text = (inspect.getdoc(kind) or "").partition("Examples::\n\n")[2]
    names: dict[str, Any] = {kind.__name__: kind}
    exec(inspect.cleandoc(text), names)
    assert text.count("store = ") == 2
    assert isinstance(names["store"], kind)

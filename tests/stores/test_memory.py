"""The store in memory: expiry, bounds, and what goes when there is no room."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express import ExpressError, HTTPError
from asgi_express.stores import MemoryStore, StoreUnavailable


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_entries": 0}, "max_entries must be an integer of 1 or more, not 0"),
        ({"max_entries": True}, "max_entries"),
        ({"max_entries": 1.5}, "max_entries"),
        ({"full": "drop"}, "full must be 'evict' or 'refuse', not 'drop'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MemoryStore(**options)


async def test_a_value_ends_with_its_time() -> None:
    clock = Clock()
    store = MemoryStore(clock=clock)
    await store.set("a", b"1", ttl=10)
    clock.now += 9.9
    assert await store.get("a") == b"1"
    clock.now += 0.1
    assert await store.get("a") is None
    assert len(store) == 0


@pytest.mark.parametrize("method", ["set", "replace", "touch"])
async def test_a_write_gives_a_new_time(method: str) -> None:
    clock = Clock()
    store = MemoryStore(clock=clock)
    await store.set("a", b"1", ttl=10)
    clock.now += 5
    await getattr(store, method)("a", *([] if method == "touch" else [b"1"]), ttl=10)
    clock.now += 9
    assert await store.get("a") == b"1"
    clock.now += 1
    assert await store.add("a", b"2", ttl=10) is True


async def test_what_has_expired_leaves_when_a_new_key_comes() -> None:
    clock = Clock()
    store = MemoryStore(clock=clock)
    for number in range(100):
        await store.set(str(number), b"", ttl=10 if number % 2 else 20)
    clock.now += 10
    assert len(store) == 100
    await store.set("new", b"", ttl=10)
    assert len(store) == 51


async def test_of_many_that_expire_together_some_leave_with_each_new_key() -> None:
    clock = Clock()
    store = MemoryStore(max_entries=1200, full="refuse", clock=clock)
    for number in range(1200):
        await store.set(str(number), b"", ttl=10)
    clock.now += 10
    held = []
    for number in range(4):
        await store.set(f"new{number}", b"", ttl=10)
        held.append(len(store))
    assert held == [701, 202, 3, 4]


async def test_none_is_refused_while_anything_has_expired() -> None:
    clock = Clock()
    store = MemoryStore(max_entries=1200, full="refuse", clock=clock)
    for number in range(1200):
        await store.set(str(number), b"", ttl=10 if number < 1199 else 10.5)
    clock.now += 5
    for number in range(1199):
        await store.touch(str(number), ttl=60)
    clock.now += 6
    await store.set("new", b"", ttl=10)
    assert len(store) == 1200


async def test_what_was_given_more_time_leaves_when_that_has_passed() -> None:
    clock = Clock()
    store = MemoryStore(clock=clock)
    await store.set("a", b"", ttl=10)
    clock.now += 5
    await store.touch("a", ttl=10)
    clock.now += 6
    await store.set("b", b"", ttl=60)
    assert len(store) == 2
    clock.now += 4
    await store.set("c", b"", ttl=60)
    assert len(store) == 2


async def test_the_expired_go_before_the_least_recently_used() -> None:
    clock = Clock()
    store = MemoryStore(max_entries=3, clock=clock)
    await store.set("old", b"", ttl=100)
    await store.set("short", b"", ttl=1)
    await store.set("long", b"", ttl=100)
    clock.now += 1
    await store.set("new", b"", ttl=100)
    assert [await store.get(key) is not None for key in ("old", "short", "long", "new")] == [True, False, True, True]


@pytest.mark.parametrize("use", ["get", "set", "replace", "touch", "add"])
async def test_with_evict_the_least_recently_used_goes(use: str) -> None:
    store = MemoryStore(max_entries=2)
    await store.set("a", b"1", ttl=100)
    await store.set("b", b"1", ttl=100)
    arguments: Any = {"get": (), "touch": ()}.get(use, (b"1",))
    await getattr(store, use)("a", *arguments, **({} if use == "get" else {"ttl": 100}))
    await store.set("c", b"1", ttl=100)
    assert [await store.get(key) for key in ("a", "b", "c")] == [b"1", None, b"1"]


async def test_with_refuse_a_new_key_is_refused_until_there_is_room() -> None:
    clock = Clock()
    store = MemoryStore(max_entries=2, full="refuse", clock=clock)
    await store.set("a", b"1", ttl=10)
    await store.set("b", b"1", ttl=20)
    for method in (store.set, store.add):
        with pytest.raises(StoreUnavailable, match="is full: 2 entries"):
            await method("c", b"1", ttl=10)
    await store.set("a", b"2", ttl=10)
    assert await store.get("a") == b"2"
    clock.now += 10
    await store.set("c", b"1", ttl=10)
    assert [await store.get(key) for key in ("a", "b", "c")] == [None, b"1", b"1"]


async def test_a_store_that_is_written_for_ever_stays_small() -> None:
    clock = Clock()
    store = MemoryStore(max_entries=10, clock=clock)
    for number in range(5000):
        clock.now += 0.001
        await store.set(f"{number % 20}", b"", ttl=100 - number % 50)
        await store.touch(f"{number % 7}", ttl=1 + number % 3)
        await store.delete(f"{number % 3}")
    assert len(store) <= 10
    assert len(store._queue) <= 2 * 10 + 64


async def test_the_value_is_a_copy() -> None:
    store = MemoryStore()
    value: Any = bytearray(b"1")
    await store.set("a", value, ttl=10)
    value[:] = b"2"
    assert await store.get("a") == b"1"


_KEYS = st.sampled_from("abcd")
_STEPS = st.one_of(
    st.tuples(st.sampled_from(["set", "add", "replace", "touch"]), _KEYS, st.integers(1, 8)),
    st.tuples(st.sampled_from(["get", "delete", "wait"]), _KEYS, st.integers(1, 5)),
)


@given(st.lists(_STEPS, max_size=60))
async def test_it_behaves_as_a_plain_dictionary_with_times(steps: list[tuple[str, str, int]]) -> None:
    clock = Clock()
    store = MemoryStore(clock=clock)
    model: dict[str, tuple[bytes, float]] = {}
    for number, (what, key, amount) in enumerate(steps):
        model = {name: held for name, held in model.items() if held[1] > clock.now}
        there, until, value = key in model, clock.now + amount, b"%d" % number
        if what == "wait":
            clock.now += amount
        elif what == "get":
            assert await store.get(key) == model.get(key, (None,))[0]
        elif what == "delete":
            await store.delete(key)
            model.pop(key, None)
        elif what == "touch":
            assert await store.touch(key, ttl=amount) is there
            if there:
                model[key] = (model[key][0], until)
        else:
            kept = await getattr(store, what)(key, value, ttl=amount)
            wanted = {"set": True, "add": not there, "replace": there}[what]
            assert kept is (None if what == "set" else wanted)
            if wanted:
                model[key] = (value, until)


def test_its_error_is_an_answer_that_tells_the_client_nothing() -> None:
    error = StoreUnavailable("10.0.0.7 is away")
    assert isinstance(error, HTTPError)
    assert isinstance(error, ExpressError)
    assert (error.status, error.type, error.expose) == (503, "store.unavailable", False)
    assert error.headers == {"Retry-After": "1"}
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.message, copied.status) == ("10.0.0.7 is away", 503)

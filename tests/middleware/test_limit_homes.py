"""Where limits are kept: memory that an attacker cannot empty, and a real Redis that decides in one step."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express.middleware._limit_homes import Charge, Home, MemoryHome, RedisHome, Taken
from asgi_express.middleware._limits import Concurrency, FixedWindow, Rule, SlidingWindow, TokenBucket
from asgi_express.stores import RedisStore, StoreUnavailable
from tests.stores.redis_server import RedisServer, running_redis

PATIENT = 5.0
"""Seconds for a call to a server that does answer, on a machine that is busy."""


class Clock:
    """Seconds that only the test moves."""

    def __init__(self) -> None:
        self.now = 4096.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@asynccontextmanager
async def redis_store(server: RedisServer, **options: Any) -> AsyncIterator[RedisStore]:
    store = RedisStore(server.url, **{"timeout": PATIENT, **options})
    async with aclosing(store):
        yield store


RULES: dict[str, Rule] = {
    "token bucket": TokenBucket(16, 64.0, 8),
    "sliding window": SlidingWindow(8, 64.0),
    "fixed window": FixedWindow(8, 64.0),
    "concurrency": Concurrency(8, 64.0),
}
EACH = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def charge(key: str = "k", rule: Rule = RULES["fixed window"], cost: int = 1, name: str = "n") -> Charge:
    return Charge(name, rule, key, cost)


def passed(taken: Sequence[Taken]) -> list[bool]:
    return [each.decision.allowed for each in taken]


async def admits(home: Home, *charges: Charge) -> bool:
    return all(passed(await home.take(charges)))


# -- both homes


@asynccontextmanager
async def memory(_server: RedisServer, clock: Clock) -> AsyncIterator[Home]:
    yield MemoryHome(max_entries=100, clock=clock)


@asynccontextmanager
async def redis(server: RedisServer, clock: Clock) -> AsyncIterator[Home]:
    server.ask("FLUSHALL")
    async with redis_store(server) as store:
        yield RedisHome(store, clock=clock)


BOTH = pytest.mark.parametrize("open_home", [memory, redis])


@BOTH
@EACH
async def test_all_charges_are_taken_or_none(open_home: Any, rule: Rule, redis_server: RedisServer) -> None:
    async with open_home(redis_server, Clock()) as home:
        narrow, wide = charge(rule=FixedWindow(2, 64.0), name="narrow"), charge(rule=rule, name="wide")
        assert [await admits(home, wide, narrow) for _ in range(4)] == [True, True, False, False]
        refused = await home.take([wide, narrow])
        assert passed(refused) == [True, False]
        assert [each.decision.remaining for each in refused] == [6, 0]
        assert [await admits(home, wide) for _ in range(7)] == [True] * 6 + [False]


@BOTH
@EACH
async def test_what_was_given_back_can_be_taken_again(open_home: Any, rule: Rule, redis_server: RedisServer) -> None:
    async with open_home(redis_server, Clock()) as home:
        taken = [await home.take([charge(rule=rule)]) for _ in range(8)]
        assert not await admits(home, charge(rule=rule))
        await home.give_back(taken[3])
        assert [await admits(home, charge(rule=rule)) for _ in range(2)] == [True, False]
        for each in taken:
            await home.give_back(each)
        await home.give_back(taken[0])
        assert await admits(home, charge(rule=rule))


@BOTH
async def test_asking_takes_nothing(open_home: Any, redis_server: RedisServer) -> None:
    async with open_home(redis_server, Clock()) as home:
        for _ in range(3):
            assert [each.decision.remaining for each in await home.take([charge(cost=0)])] == [8]


@BOTH
async def test_asking_of_several_takes_of_the_others(open_home: Any, redis_server: RedisServer) -> None:
    async with open_home(redis_server, Clock()) as home:
        taken = await home.take([charge("asked", cost=0), charge("charged", cost=8)])
        assert [each.decision.remaining for each in taken] == [8, 0]
        assert not await admits(home, charge("charged"))
        assert await admits(home, charge("asked", cost=8))


@pytest.mark.parametrize("name", list(RULES)[:3])
async def test_redis_decides_as_memory_does(name: str, redis_server: RedisServer) -> None:
    chance, clock = random.Random(name), Clock()
    async with memory(redis_server, clock) as here, redis(redis_server, clock) as there:
        kept: list[list[list[Taken]]] = []
        for _ in range(400):
            clock.now += chance.choice((0.0, 0.25, 2.0, 8.0, 40.0, -1.0))
            charges = [charge(chance.choice("ab"), RULES[name], chance.choice((0, 1, 1, 3, 9)))]
            if kept and chance.random() < 0.2:
                for home, taken in zip((here, there), kept.pop(chance.randrange(len(kept))), strict=True):
                    await home.give_back(taken)
            both = [await home.take(charges) for home in (here, there)]
            ours, theirs = (taken[0].decision for taken in both)
            assert ours[:2] == theirs[:2]
            assert ours[2:5] == pytest.approx(theirs[2:5], abs=1e-5)
            if ours.allowed and charges[0].cost:
                kept.append(both)


# -- memory


async def test_a_live_limit_is_never_pushed_out() -> None:
    home = MemoryHome(max_entries=10, clock=Clock())
    for _ in range(8):
        assert await admits(home, charge("attacker"))
    for number in range(1000):
        await home.take([charge(f"k{number}")])
    assert not await admits(home, charge("attacker"))
    assert await admits(home, charge("k0"))
    assert len(home) == 11


_VISITS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([0.0, 0.0, 2.0, 16.0, 64.0])), max_size=120)


@given(_VISITS, st.sampled_from([2, 4, 100]), st.sampled_from([None, 1.0, 20.0]))
async def test_no_order_of_visits_frees_a_client_of_its_limit(
    visits: list[tuple[str, float]], room: int, interval: float | None
) -> None:
    clock = Clock()
    rule = SlidingWindow(3, 64.0)
    home = MemoryHome(max_entries=room, cleanup_interval=interval, clock=clock)
    passed_at: dict[str, list[float]] = {}
    for key, pause in visits:
        clock.now += pause
        if await admits(home, charge(key, rule)):
            passed_at.setdefault(key, []).append(clock.now)
    for times in passed_at.values():
        # A client may have what its own limit admits, and, while there was no room for one, what the shared one does.
        most = max(sum(start <= at < start + 64.0 for at in times) for start in times)
        assert most <= (3 if room == 100 else 6)
    assert len(home) <= room + 1


async def test_when_it_is_full_new_keys_share_one_limit_and_the_log_tells_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    home = MemoryHome(max_entries=2, clock=clock)
    assert [await admits(home, charge(key)) for key in "ab"] == [True, True]
    assert [await admits(home, charge(f"new{number}")) for number in range(10)] == [True] * 8 + [False] * 2
    assert [await admits(home, charge(key, name="other")) for key in "xy"] == [True, True]
    assert len(caplog.records) == 1
    clock.now += 65
    assert await admits(home, charge("c"))
    assert len(home) == 1


async def test_of_many_that_expire_together_some_leave_with_each_new_key() -> None:
    clock = Clock()
    home = MemoryHome(max_entries=1200, clock=clock)
    for number in range(1200):
        await admits(home, charge(str(number)))
    clock.now += 65
    held = []
    for number in range(502):
        assert await admits(home, charge(f"new{number}"))
        held.append(len(home))
    assert (held[0], held[499], held[500]) == (701, 1200, 701)


async def test_a_sweep_lets_go_a_few_keys_with_each_request_until_no_expired_one_is_left() -> None:
    clock = Clock()
    home = MemoryHome(max_entries=1000, cleanup_interval=300, clock=clock)
    for number in range(120):
        await admits(home, charge(str(number)))
    clock.now += 250
    assert await admits(home, charge("live"))
    assert len(home) == 121  # it is not yet time
    held = []
    for _ in range(4):
        clock.now += 20
        assert await admits(home, charge("live"))
        held.append(len(home))
    # At 270 and 290 it is not; at 310 it is.
    assert held == [121, 121, 71, 21]
    await admits(home, charge("live"))
    assert len(home) == 1
    assert await admits(home, charge("later"))
    clock.now += 65
    await admits(home, charge("live"))
    assert len(home) == 2  # the next sweep is 300 seconds later


async def test_a_sweep_leaves_what_has_expired_for_as_long_as_is_said_unless_room_is_needed() -> None:
    clock = Clock()
    home = MemoryHome(max_entries=3, cleanup_interval=10, entry_ttl=600, clock=clock)
    assert await admits(home, charge("idle"))
    held = []
    for _ in range(3):
        clock.now += 300
        assert await admits(home, charge("live"))
        held.append(len(home))
    assert held == [2, 2, 1]  # it is whole after a minute: at 300 and 600 it stays, at 900 it has gone
    clock.now += 700
    await home.take([charge("live"), charge("live", name="other")])
    assert len(home) == 2  # where there are several limits too
    clock.now += 700
    for key in "abc":
        clock.now += 65
        assert await admits(home, charge(key))
        assert len(home) <= 3
    assert await admits(home, charge("d"))
    assert len(home) == 2  # what is whole made room, long before its time


async def test_a_limit_that_was_used_again_lives_longer() -> None:
    clock = Clock()
    home = MemoryHome(max_entries=2, clock=clock)
    bucket = TokenBucket(1, 64.0, 2)
    await home.take([charge("busy", bucket)])
    await home.take([charge("idle", bucket)])
    clock.now += 60
    await home.take([charge("busy", bucket)])
    clock.now += 5
    await home.take([charge("new", bucket)])
    assert len(home) == 2
    assert [await admits(home, charge("busy", bucket)) for _ in range(2)] == [True, False]


async def test_what_is_under_way_leaves_when_it_is_done() -> None:
    home = MemoryHome(max_entries=1, clock=Clock())
    taken = await home.take([charge(rule=RULES["concurrency"])])
    assert len(home) == 1
    await home.give_back(taken)
    await home.give_back(taken)
    assert len(home) == 0


# -- Redis


async def test_tasks_that_share_a_limit_admit_exactly_it(redis_server: RedisServer) -> None:
    redis_server.ask("FLUSHALL")
    rule = TokenBucket(25, 3600.0, 25)
    async with redis_store(redis_server) as one, redis_store(redis_server) as other:
        homes = [RedisHome(one), RedisHome(other)]
        each = await asyncio.gather(*(admits(homes[number % 2], charge(rule=rule)) for number in range(100)))
    assert sum(each) == 25


PROCESS = """
import asyncio, sys
from asgi_express.middleware._limit_homes import Charge, RedisHome
from asgi_express.middleware._limits import SlidingWindow
from asgi_express.stores import RedisStore

async def main():
    store = RedisStore(sys.argv[1], timeout=5)
    home = RedisHome(store)
    charge = Charge("processes", SlidingWindow(50, 3600.0), "k", 1)
    taken = await asyncio.gather(*(home.take([charge]) for _ in range(40)))
    print(sum(each[0].decision.allowed for each in taken))
    await store.aclose()

asyncio.run(main())
"""


async def test_processes_that_share_a_limit_admit_exactly_it(redis_server: RedisServer) -> None:
    redis_server.ask("FLUSHALL")
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROCESS, redis_server.url, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    outputs = [await process.communicate() for process in running]
    assert sum(int(output) for output, _ in outputs) == 50


@EACH
async def test_every_key_expires_by_itself_and_says_nothing_about_the_client(
    rule: Rule, redis_server: RedisServer
) -> None:
    redis_server.ask("FLUSHALL")
    async with redis_store(redis_server, prefix="shop:") as store:
        home = RedisHome(store)
        first = await home.take([charge("header:x-api-key=secret", rule)])
        await home.take([charge("header:x-api-key=secret", rule)])
        await home.give_back(first)
        (name,) = await store.execute("KEYS", "*")
        assert name.startswith(b"shop:ratelimit:n:")
        assert b"secret" not in name
        assert 0 < await store.execute("PTTL", name) <= 67_000


async def test_one_that_was_never_given_back_counts_no_more_after_the_window(redis_server: RedisServer) -> None:
    clock = Clock()
    async with redis(redis_server, clock) as home:
        busy = charge(rule=Concurrency(1, 64.0))
        assert [await admits(home, busy) for _ in range(2)] == [True, False]
        clock.now += 65
        assert await admits(home, busy)


async def test_a_server_that_forgot_the_script_is_given_it_again(redis_server: RedisServer) -> None:
    async with redis(redis_server, Clock()) as home:
        assert await admits(home, charge())
        redis_server.ask("SCRIPT", "FLUSH")
        assert await admits(home, charge())


async def test_another_refusal_is_none_of_that(redis_server: RedisServer) -> None:
    redis_server.ask("FLUSHALL")
    async with redis_store(redis_server) as store:
        home = RedisHome(store)
        taken = await home.take([charge()])
        await store.execute("DEL", taken[0].place)
        await store.execute("LPUSH", taken[0].place, "x")
        with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
            await home.take([charge()])


async def test_a_frozen_server_holds_nobody_up_beyond_the_deadline(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.ask("FLUSHALL")
    async with redis_store(redis_server) as patient:
        taken = await RedisHome(patient).take([charge()])
    async with redis_store(redis_server, timeout=0.1) as store:
        home = RedisHome(store)
        with redis_server.frozen():
            started = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await home.take([charge()])
            await home.give_back(taken)
            assert time.monotonic() - started < 2
    assert "cannot be given back" in caplog.text


async def test_it_is_given_back_even_if_the_request_is_cancelled(redis_server: RedisServer) -> None:
    async with redis(redis_server, Clock()) as home:
        busy = charge(rule=Concurrency(1, 64.0))
        taken = await home.take([busy])
        giving = asyncio.create_task(home.give_back(taken))
        await asyncio.sleep(0)
        giving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await giving
        async with asyncio.timeout(PATIENT):
            while not await admits(home, busy):
                await asyncio.sleep(0)

"""The store in Redis: faults, deadlines, cancellation, recovery. The server is real."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError

from asgi_express.stores import RedisStore, StoreUnavailable
from tests.stores.redis_server import RedisServer

DEADLINE = 0.1
SLACK = 0.5
"""What a call may take above its deadline on a machine that is busy with other tests."""


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    redis_server.ask("FLUSHALL")
    made = RedisStore(redis_server.url, timeout=DEADLINE)
    await until(lambda: made.set("a", b"1", ttl=60))
    yield made
    await made.aclose()


async def until(call: Callable[[], Awaitable[Any]], patience: float = 10.0) -> float:
    """Repeat a call until the store answers; return how long that took, in seconds."""
    start = time.monotonic()
    while True:
        try:
            await call()
        except StoreUnavailable:
            assert time.monotonic() - start < patience
            await asyncio.sleep(0.005)
        else:
            return time.monotonic() - start


async def refused_after(call: Awaitable[Any]) -> float:
    """Return how long a call took to be refused, in seconds."""
    start = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await call
    return time.monotonic() - start


def connections(server: RedisServer) -> int:
    return server.ask("CLIENT", "LIST").count(b"id=") - 1


# -- making one


@pytest.mark.parametrize(
    ("server", "options", "error", "words"),
    [
        ("redis://h", {"timeout": 0}, ValueError, "timeout must be above 0, not 0.0"),
        ("redis://h", {"timeout": "soon"}, ValueError, "invalid duration 'soon'"),
        ("redis://h", {"probe_every": -1}, ValueError, "probe_every must be above 0"),
        ("redis://h", {"max_connections": 0}, ValueError, "max_connections must be an integer of 1 or more"),
        ("redis://h", {"break_after": True}, ValueError, "break_after must be an integer of 1 or more"),
        ("http://h", {}, ValueError, "Redis URL must specify"),
        (7, {}, TypeError, "must be a URL or a redis.asyncio.Redis, not int"),
    ],
)
def test_options_out_of_range_are_refused(server: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        RedisStore(server, **options)


def test_without_redis_py_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asgi_express.stores._redis_link", raising=False)
    monkeypatch.delattr("asgi_express.stores._redis_link", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "redis"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r"pip install 'asgi-express\[redis\]'"):
        RedisStore("redis://localhost")


async def test_nothing_connects_before_the_first_call() -> None:
    store = RedisStore("unix:///nowhere/redis.sock")
    await store.aclose()
    assert await refused_after(store.get("a")) < DEADLINE + SLACK


async def test_keys_have_the_prefix_and_values_their_time(redis_server: RedisServer) -> None:
    redis_server.ask("FLUSHALL")
    store = RedisStore(redis_server.url, prefix="shop:", timeout=5)
    await store.set("a", b"1", ttl=60)
    await store.add("b", b"1", ttl=0.0001)
    assert redis_server.ask("GET", "shop:a") == b"$1\r\n1\r\n"
    assert 59_000 < await store.execute("PTTL", "shop:a") <= 60_000
    await store.touch("a", ttl=120)
    assert 119_000 < await store.execute("PTTL", "shop:a") <= 120_000
    await until_gone(store, "b")
    await store.aclose()


async def until_gone(store: RedisStore, key: str) -> None:
    async with asyncio.timeout(5):
        while await store.get(key) is not None:
            await asyncio.sleep(0.001)


async def test_the_retries_of_a_client_are_not_used() -> None:
    client: Any = Redis.from_url("unix:///nowhere/redis.sock")  # ten of them, up to a second apart
    assert await refused_after(RedisStore(client, timeout=10).get("a")) < SLACK


@pytest.mark.parametrize("decode", [False, True])
async def test_the_settings_of_a_client_are_taken_over(redis_server: RedisServer, decode: bool) -> None:
    client: Any = Redis.from_url(f"{redis_server.url}?db=3", decode_responses=decode)
    store = RedisStore(client, timeout=5)
    await store.set("a", b"\xff", ttl=60)
    assert await store.get("a") == b"\xff"
    assert await store.execute("DBSIZE") == 1
    await store.execute("FLUSHDB")
    await store.aclose()
    await client.aclose()


# -- what the server refuses


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        (("EVALSHA", "0" * 40, 0), NoScriptError),
        (("EVAL", "return redis.error_reply('OOM command not allowed')", 0), OutOfMemoryError),
        (("NO-SUCH-COMMAND",), Exception),
    ],
)
async def test_an_error_as_the_reply_is_told_and_costs_no_connection(
    store: RedisStore, redis_server: RedisServer, command: Any, cause: type[Exception]
) -> None:
    before = connections(redis_server)
    for _ in range(10):
        with pytest.raises(StoreUnavailable, match=f"Redis refused {command[0]}: ") as caught:
            await store.execute(*command)
        assert isinstance(caught.value.__cause__, cause)
    assert await store.get("a") == b"1"
    assert connections(redis_server) == before


async def test_a_master_that_became_a_replica_is_left(store: RedisStore, redis_server: RedisServer) -> None:
    redis_server.ask("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable) as caught:
            await store.set("a", b"2", ttl=60)
        assert isinstance(caught.value.__cause__, ReadOnlyError)
        await until_closed(redis_server, 0)
    finally:
        redis_server.ask("REPLICAOF", "NO", "ONE")
    await store.set("a", b"2", ttl=60)


# -- faults


@contextlib.contextmanager
def stopped(server: RedisServer) -> Any:
    server.stop()
    try:
        yield
    finally:
        server.start()


FAULTS: dict[str, Callable[[RedisServer], Any]] = {"stopped": stopped, "frozen": RedisServer.frozen}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_no_call_waits_longer_than_its_deadline_and_recovery_takes_a_second_at_most(
    store: RedisStore, redis_server: RedisServer, fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "asgi_express.stores")
    with fault(redis_server):
        for _ in range(3):
            waited = await asyncio.gather(*(refused_after(store.get("a")) for _ in range(40)))
            assert max(waited) < DEADLINE + SLACK
        # The breaker is open: nothing is asked, nothing is waited for.
        start = time.perf_counter()
        refusals = 0
        for _ in range(1000):
            try:
                await store.get("a")
            except StoreUnavailable:
                refusals += 1
        assert refusals == 1000
        assert time.perf_counter() - start < 2 * DEADLINE + SLACK
    assert await until(lambda: store.get("a")) < 1.0
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Redis is unavailable",
        "Redis is available again",
    ]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_while_it_is_away_nobody_waits_for_a_probe_and_recovery_needs_no_caller(
    store: RedisStore, redis_server: RedisServer, fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    prober = store._links[asyncio.get_running_loop()]
    with fault(redis_server):
        for _ in range(5):
            await refused_after(store.get("a"))
        # Over two probes and more: none of these calls leaves the process.
        end = time.monotonic() + 2.5 * prober._probe_every
        while time.monotonic() < end:
            with pytest.raises(StoreUnavailable, match="only tried once in a while"):
                await store.get("a")
            await asyncio.sleep(0.01)
    start = time.monotonic()
    while "available again" not in caplog.text:  # nobody calls
        assert time.monotonic() - start < 1.0
        await asyncio.sleep(0.005)
    await store.get("a")


async def test_a_loop_that_finds_it_broken_by_another_finds_out_by_itself(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, timeout=5, break_after=1)

    def away() -> None:
        with pytest.raises(StoreUnavailable):
            asyncio.run(store.get("a"))

    with stopped(redis_server):
        await asyncio.to_thread(away)
    assert await until(lambda: store.get("a")) < 1.0
    await store.aclose()


async def test_after_closing_nobody_asks_any_more(redis_server: RedisServer) -> None:
    before = connections(redis_server)
    store = RedisStore(redis_server.url, timeout=DEADLINE, break_after=1)
    waiting = asyncio.create_task(refused_after(store.execute("BLPOP", "nothing", 5)))
    async with asyncio.timeout(5):
        while b"blocked_clients:1" not in redis_server.ask("INFO", "clients"):
            await asyncio.sleep(0.005)
    link = store._links[asyncio.get_running_loop()]
    await store.aclose()
    await waiting
    assert link._prober is None
    with redis_server.frozen():
        await refused_after(store.get("a"))
        await store.aclose()
    await until_closed(redis_server, before)


async def test_after_a_restart_the_dead_connections_cost_nobody_an_error(
    store: RedisStore, redis_server: RedisServer
) -> None:
    await asyncio.gather(*(store.set(str(number), b"1", ttl=60) for number in range(8)))
    assert connections(redis_server) > 1
    with stopped(redis_server):
        pass
    assert await asyncio.gather(*(store.get(str(number)) for number in range(8))) == [None] * 8
    await store.set("a", b"1", ttl=60)


async def test_a_connection_that_is_known_to_be_dead_is_not_used(store: RedisStore, redis_server: RedisServer) -> None:
    await asyncio.gather(*(store.get(str(number)) for number in range(8)))
    kept = [connection._reader for connection in store._links[asyncio.get_running_loop()]._idle]
    assert len(kept) > 1
    with stopped(redis_server):
        pass
    async with asyncio.timeout(5):
        while not all(reader is not None and reader.at_eof() for reader in kept):
            await asyncio.sleep(0.005)
    assert await store.add("b", b"1", ttl=60) is True


async def test_what_must_not_be_done_twice_is_not_sent_again(store: RedisStore, redis_server: RedisServer) -> None:
    await asyncio.gather(*(store.get(str(number)) for number in range(8)))
    assert connections(redis_server) > 1
    with stopped(redis_server):
        pass
    with pytest.raises(StoreUnavailable):
        await store.add("b", b"1", ttl=60)
    # One call found out for all the connections that were open.
    assert await store.add("b", b"1", ttl=60) is True


async def test_a_flushed_server_has_no_values_and_no_errors(store: RedisStore, redis_server: RedisServer) -> None:
    redis_server.ask("FLUSHALL")
    assert await store.get("a") is None
    assert await store.replace("a", b"1", ttl=60) is False


async def test_a_reply_that_drips_is_given_up_at_the_deadline() -> None:
    left = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(4096):
                writer.write(b"$")
                await writer.drain()
        writer.close()
        left.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        store = RedisStore(f"redis://127.0.0.1:{port}", timeout=DEADLINE)
        assert await refused_after(store.get("a")) < DEADLINE + SLACK
        await store.aclose()
        await asyncio.wait_for(left.wait(), 5)


# -- connections


async def test_there_are_never_more_connections_than_allowed(redis_server: RedisServer) -> None:
    before = connections(redis_server)
    store = RedisStore(redis_server.url, max_connections=3, timeout=10)
    await asyncio.gather(*(store.execute("ECHO", str(number)) for number in range(200)))
    assert connections(redis_server) - before == 3
    await store.aclose()
    await until_closed(redis_server, before)


async def until_closed(server: RedisServer, count: int) -> None:
    async with asyncio.timeout(5):
        while connections(server) != count:
            await asyncio.sleep(0.005)


async def test_who_finds_no_free_connection_waits_until_his_deadline(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, max_connections=1, timeout=DEADLINE)
    await until(lambda: store.get("a"))
    blocked = asyncio.create_task(refused_after(store.execute("BLPOP", "nothing", 5)))
    waited = await asyncio.gather(blocked, *(refused_after(store.get("a")) for _ in range(3)))
    assert max(waited) < DEADLINE + SLACK
    await until(lambda: store.get("a"))
    await store.aclose()


async def test_a_cancelled_call_never_leaves_its_reply_to_another(redis_server: RedisServer) -> None:
    before = connections(redis_server)
    store = RedisStore(redis_server.url, max_connections=4, timeout=10)
    chance = random.Random(5)
    replies = 0

    async def echo(name: str) -> None:
        nonlocal replies
        assert await store.execute("ECHO", name) == name.encode()
        replies += 1

    for turn in range(150):
        calls = [asyncio.create_task(echo(f"{turn}-{number}")) for number in range(8)]
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)  # one turn of the loop: cancel at every await there is
        for call in chance.sample(calls, 4):
            call.cancel()
        for result in await asyncio.gather(*calls, return_exceptions=True):
            assert result is None or isinstance(result, asyncio.CancelledError)
    assert replies >= 150 * 4
    await asyncio.gather(*(echo(f"end-{number}") for number in range(50)))
    await store.aclose()
    await until_closed(redis_server, before)


async def test_closing_waits_for_nobody_and_closes_what_is_in_use_when_it_is_done(redis_server: RedisServer) -> None:
    before = connections(redis_server)
    store = RedisStore(redis_server.url, timeout=10)
    waiting = asyncio.create_task(store.execute("BLPOP", "list", 10))
    async with asyncio.timeout(5):
        while b"blocked_clients:1" not in redis_server.ask("INFO", "clients"):
            await asyncio.sleep(0.005)
    await store.aclose()
    redis_server.ask("RPUSH", "list", "x")
    assert await waiting == [b"list", b"x"]
    await until_closed(redis_server, before)


def test_every_event_loop_has_its_own_connections(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, timeout=10)

    async def visit(value: bytes) -> None:
        for _ in range(20):
            await store.set("loop", value, ttl=60)
            assert await store.get("loop")
        await store.aclose()

    async def forget_to_close() -> None:
        await store.execute("PING")
        await store._links[asyncio.get_running_loop()].close_idle()

    asyncio.run(forget_to_close())
    threads = [threading.Thread(target=asyncio.run, args=(visit(b"%d" % number),)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store._links == {}

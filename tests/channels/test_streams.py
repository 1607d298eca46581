"""Channels over a stream of Redis. The server is real, and so are the processes that are killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from asgi_express.channels import BacklogFull, Channels, DeadLetter, Delivery, PublishErrors, Streams, event
from asgi_express.stores import StoreUnavailable
from tests.channels.waiting import PATIENCE, until
from tests.stores.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
STREAM = "asgi_express:stream"


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """Give a client of an empty server."""
    redis_server.ask("FLUSHALL")
    async with Redis.from_url(redis_server.url) as client:
        yield client


def channels_of(
    server: RedisServer,
    group: str | None = "mailer",
    on_error: Callable[[Exception], Any] | None = None,
    **options: Any,
) -> Channels:
    return Channels(bus=Streams(server.url, **{"group": group, "timeout": PATIENCE, **options}), on_error=on_error)


def collecting(channels: Channels, *names: str) -> list[Any]:
    """Subscribe to channels, and return a list of what they were given and how."""
    seen: list[Any] = []

    def note(data: Any, delivery: Delivery) -> None:
        assert (delivery.remote, bool(delivery.id)) == (True, True)
        seen.append((delivery.channel, data, delivery.attempt))

    for name in names:
        channels.subscribe(name, note)
    return seen


async def pending(redis: Redis, group: str = "mailer") -> int:
    return int((await redis.xpending(STREAM, group))["pending"])


async def consumers(redis: Redis, group: str = "mailer") -> list[bytes]:
    return [each["name"] for each in await redis.xinfo_consumers(STREAM, group)]


# -- delivering


async def test_a_message_is_given_to_every_group_and_in_each_to_one_process(
    redis: Redis, redis_server: RedisServer
) -> None:
    processes = [channels_of(redis_server, group) for group in ("mailer", "mailer", "audit")]
    seen = [collecting(each, "mail") for each in processes]
    async with channels_of(redis_server, None) as publisher, processes[0], processes[1], processes[2]:
        publisher.subscribe("mail", lambda: "a result that nobody waits for")
        for number in range(100):
            outcome = await publisher.publish("mail:new", number)
            assert (outcome.results, outcome.errors, bool(outcome.id)) == ([], [], True)
        await until(lambda: len(seen[0]) + len(seen[1]) == 100 and len(seen[2]) == 100)
    assert sorted(data for _, data, _ in seen[0] + seen[1]) == list(range(100))
    assert seen[2] == [("mail:new", number, 1) for number in range(100)]
    assert await pending(redis) == await pending(redis, "audit") == 0


async def test_what_was_published_while_nobody_listened_is_delivered_later(
    redis: Redis, redis_server: RedisServer
) -> None:
    async with channels_of(redis_server, None) as publisher:
        for number in range(3):
            await publisher.publish("mail", number)
    reader = channels_of(redis_server)
    seen = collecting(reader, "mail")
    async with reader:
        await until(lambda: len(seen) == 3)
    async with channels_of(redis_server, None) as publisher:
        await publisher.publish("mail", 3)
    async with reader:
        await until(lambda: len(seen) == 4)
    assert [data for _, data, _ in seen] == [0, 1, 2, 3]


async def test_an_event_of_a_class_arrives_as_one(redis: Redis, redis_server: RedisServer) -> None:
    @event("shop:sold")
    @dataclass(frozen=True)
    class Sold:
        item: str

    channels = channels_of(redis_server)
    seen: list[Sold] = []
    channels.subscribe(Sold, seen.append)
    async with channels:
        await channels.publish(Sold("pear"))
        await until(lambda: seen)
    assert seen == [Sold("pear")]


async def test_what_is_local_does_not_go_into_the_stream(redis: Redis, redis_server: RedisServer) -> None:
    channels = channels_of(redis_server)
    channels.subscribe("a", lambda data: data)
    assert (await channels.publish("a", 1, local=True)).results == [1]
    assert await redis.exists(STREAM) == 0


async def test_the_newer_protocol_of_redis_will_do(redis: Redis, redis_server: RedisServer) -> None:
    async with Redis.from_url(redis_server.url, protocol=3) as client:
        channels = Channels(bus=Streams(client, group="mailer", timeout=PATIENCE, claim_after=0.05))
        seen = collecting(channels, "a")
        fails = ["now", "not now"]

        @channels.on("b")
        def fail_once() -> None:
            if len(fails) == 2:
                fails.pop()
                raise ValueError("not yet")
            fails.pop()

        async with channels:
            await channels.publish("a", 1)
            await channels.publish("b", 1)
            await until(lambda: seen and fails == [])


# -- failing


async def test_what_failed_comes_again_and_every_error_is_told(redis: Redis, redis_server: RedisServer) -> None:
    errors: list[Exception] = []
    channels = channels_of(redis_server, on_error=errors.append, claim_after=0.05)
    attempts = []

    @channels.on("mail")
    def send(mail: str, delivery: Delivery) -> None:
        attempts.append((delivery.attempt, delivery.id))
        if delivery.attempt < 3:
            raise OSError("no network")

    async with channels:
        sent = (await channels.publish("mail", "hello")).id
        await until(lambda: len(attempts) == 3)

        async def done() -> bool:
            return await pending(redis) == 0

        await until(done)
    assert attempts == [(1, sent), (2, sent), (3, sent)]
    assert all(isinstance(error, PublishErrors) for error in errors)
    assert len(errors) == 2


async def test_what_fails_every_time_is_put_aside_with_its_error_and_the_others_go_on(
    redis: Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    bus = Streams(redis_server.url, group="mailer", timeout=PATIENCE, claim_after=0.05, attempts=2, max_dead=2)
    channels = Channels(bus=bus, on_error=lambda error: None)
    seen = collecting(channels, "good")
    channels.subscribe("bad", lambda data: {}[data])
    channels.subscribe("bad", lambda data: 1 / 0)
    async with channels:
        for number in range(3):
            await channels.publish("bad", number)
            await channels.publish("good", number)

        async def aside() -> list[DeadLetter] | None:
            letters = await bus.dead()
            return letters if await pending(redis) == 0 and len(seen) == 3 and len(letters) == 2 else None

        letters = await until(aside)
    assert [letter.data for letter in letters] == [2, 1]
    assert {(letter.group, letter.channel) for letter in letters} == {("mailer", "bad")}
    assert letters[0].error == "KeyError: 2; ZeroDivisionError: division by zero"
    assert "was given up: KeyError: 2" in caplog.text
    assert [letter.data for letter in await bus.dead(limit=1)] == [2]
    await bus._store.aclose()


async def test_what_is_no_message_is_put_aside_at_once(
    redis: Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    bus = Streams(redis_server.url, group="mailer", timeout=PATIENCE)
    channels = Channels(bus=bus)
    seen = collecting(channels, "a")
    async with channels:
        await redis.xadd(STREAM, {"message": "hello"})
        await redis.xadd(STREAM, {"something": "else"})
        await channels.publish("a", 1)
        await until(lambda: seen)
        letters = await bus.dead()
    assert [(letter.channel, letter.data) for letter in letters] == [("", ""), ("", "hello")]
    assert await pending(redis) == 0


async def test_a_message_that_no_process_survives_is_put_aside(
    redis: Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    bus = Streams(redis_server.url, group="mailer", timeout=PATIENCE, claim_after=0.02, attempts=1)
    channels = Channels(bus=bus)
    seen = collecting(channels, "deadly")
    async with channels_of(redis_server, None) as publisher:
        await publisher.publish("deadly")
    await redis.xgroup_create(STREAM, "mailer", "0")
    await redis.xreadgroup("mailer", "gone", {STREAM: ">"})  # it was read, and the process died
    async with channels:
        await until(bus.dead)
        (letter,) = await bus.dead()
    assert (letter.channel, letter.error) == ("deadly", "no process got to its end in 1 attempts")
    assert seen == []


async def test_a_message_that_no_process_survives_takes_none_of_those_behind_it_along(
    redis: Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    def service() -> tuple[Streams, Channels]:
        bus = Streams(redis_server.url, group="mailer", timeout=PATIENCE, claim_after=0.02, attempts=2)
        return bus, Channels(bus=bus)

    async with channels_of(redis_server, None) as publisher:
        await publisher.publish("deadly")
        for number in range(3):
            await publisher.publish("good", number)
    for _ in range(2):
        begun = asyncio.Event()

        async def hang(data: Any, begun: asyncio.Event = begun) -> None:
            begun.set()
            await asyncio.Event().wait()

        bus, channels = service()
        channels.subscribe("deadly", hang)
        async with channels:
            await begun.wait()
    bus, channels = service()
    seen = collecting(channels, "good")
    async with channels:
        await until(lambda: len(seen) == 3)
        assert [letter.channel for letter in await bus.dead()] == ["deadly"]
    assert seen == [("good", number, 1) for number in range(3)]


async def test_what_was_left_behind_is_found_behind_many_that_are_being_worked_on(
    redis: Redis, redis_server: RedisServer
) -> None:
    async with channels_of(redis_server, None) as publisher:
        ids = [(await publisher.publish("job", number)).id for number in range(30)]
    await redis.xgroup_create(STREAM, "mailer", "0")
    await redis.xreadgroup("mailer", "other", {STREAM: ">"})
    await redis.xclaim(STREAM, "mailer", "gone", 0, [str(ids[29])], idle=2_000_000)
    channels = channels_of(redis_server, claim_after=1000)
    seen = collecting(channels, "job")
    async with channels:
        await until(lambda: seen)
    assert seen == [("job", 29, 3)]  # read by one, claimed by the next, and now here


# -- processes that go, slowly or at once


async def test_a_long_work_is_not_taken_over_by_others(redis: Redis, redis_server: RedisServer) -> None:
    one, two = (channels_of(redis_server, claim_after=0.6) for _ in range(2))
    begun, go = asyncio.Event(), asyncio.Event()
    calls = []

    async def work(data: int, delivery: Delivery) -> None:
        calls.append(delivery.attempt)
        begun.set()
        await go.wait()

    one.subscribe("job", work)
    two.subscribe("job", work)
    async with one, two:
        await one.publish("job", 1)
        await begun.wait()

        async def refreshed_often() -> bool:
            stats = await redis.info("commandstats")
            return bool(stats.get("cmdstat_xclaim", {}).get("calls", 0) >= 4)

        await redis.config_resetstat()
        await until(refreshed_often)
        go.set()

        async def done() -> bool:
            return await pending(redis) == 0

        await until(done)
    assert calls == [1]


async def test_who_stops_gives_back_what_he_did_not_get_to_and_leaves_the_group(
    redis: Redis, redis_server: RedisServer
) -> None:
    one, two = (channels_of(redis_server, claim_after=1000) for _ in range(2))
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    one.subscribe("job", hang)
    seen = collecting(two, "job")
    async with channels_of(redis_server, None) as publisher:
        for number in range(3):
            await publisher.publish("job", number)
    async with one:
        await begun.wait()
    async with two:
        await until(lambda: len(seen) == 3)
        assert sorted((data, attempt) for _, data, attempt in seen) == [(0, 2), (1, 1), (2, 1)]

        async def done() -> bool:
            return await pending(redis) == 0

        await until(done)
    left = await consumers(redis)
    assert len(left) <= 1  # the first had still something to do when it left


async def test_consumers_that_are_long_gone_are_forgotten_but_not_those_with_work(
    redis: Redis, redis_server: RedisServer
) -> None:
    await redis.xgroup_create(STREAM, "mailer", "0", mkstream=True)
    await redis.xadd(STREAM, {"message": "x"})
    await redis.xreadgroup("mailer", "busy", {STREAM: ">"})
    await redis.xgroup_createconsumer(STREAM, "mailer", "idle")
    async with Channels(bus=Streams(redis_server.url, group="mailer", timeout=PATIENCE, claim_after=1000)):
        await until(lambda: consumers(redis))
    assert sorted(await consumers(redis)) == [b"busy", b"idle"]

    async def idle_for_long() -> bool:
        found = {each["name"]: each["idle"] for each in await redis.xinfo_consumers(STREAM, "mailer")}
        return bool(found[b"idle"] > 10)

    await until(idle_for_long)
    bus = Streams(redis_server.url, group="mailer", timeout=PATIENCE, claim_after=0.001)
    await bus._leave()
    await bus._store.aclose()
    assert await consumers(redis) == [b"busy"]


@contextmanager
def worker(server: RedisServer, group: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of a service; kill it in the end."""
    command = [sys.executable, "-m", "tests.channels.worker", server.url, group]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_process_is_killed_and_started_again_and_nothing_is_lost(
    redis: Redis, redis_server: RedisServer
) -> None:
    count = 400

    async def publish(channels: Channels) -> None:
        for number in range(count):
            await channels.publish("job:new", number)

    async def done() -> int:
        return int(await redis.scard("done:w"))

    async with channels_of(redis_server, None) as channels:
        with worker(redis_server, "w") as first, worker(redis_server, "w"):
            await until(lambda: redis.get("ready:w"))
            publishing = asyncio.ensure_future(publish(channels))

            async def well_under_way() -> bool:
                return await done() > 40 and await redis.scard("workers:w") == 2

            await until(well_under_way)
            first.kill()
            first.wait()
            with worker(redis_server, "w"):
                await publishing

                async def all_done() -> bool:
                    return await done() == count and await pending(redis, "w") == 0

                await until(all_done)
                assert int(await redis.scard("workers:w")) >= 2
    assert {int(number) for number in await redis.smembers("done:w")} == set(range(count))
    # at least once: what the first had begun was begun again, and not much more
    assert count <= int(await redis.get("begun:w") or 0) <= count + 16


async def test_all_processes_are_killed_and_one_that_starts_later_does_the_rest(
    redis: Redis, redis_server: RedisServer
) -> None:
    async def done() -> int:
        return int(await redis.scard("done:w"))

    async def begun() -> bool:
        return await done() > 5

    async with channels_of(redis_server, None) as channels:
        with worker(redis_server, "w"):
            for number in range(100):
                await channels.publish("job", number)
            await until(begun)
        assert await done() < 100
        await channels.publish("job", 100)
        with worker(redis_server, "w"):

            async def all_done() -> bool:
                return await done() == 101

            await until(all_done)


# -- Redis itself goes


async def test_the_stream_is_read_again_when_redis_is_back(
    redis: Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    channels = channels_of(redis_server, None)
    reader = channels_of(redis_server)
    seen = collecting(reader, "a")
    async with channels, reader:
        redis_server.stop()
        try:
            with pytest.raises(StoreUnavailable):
                await channels.publish("a", "lost")
            await until(lambda: "the channels lost Redis" in caplog.text)
        finally:
            redis_server.start()

        async def arrived() -> bool:
            try:
                await channels.publish("a", "found")
            except StoreUnavailable:
                return False
            return bool(seen)

        await until(arrived)
    assert {data for _, data, _ in seen} == {"found"}
    assert "connected to Redis again" in caplog.text


async def test_a_stream_that_somebody_deleted_is_made_again(redis: Redis, redis_server: RedisServer) -> None:
    channels = channels_of(redis_server)
    seen = collecting(channels, "a")
    async with channels:
        await redis.delete(STREAM)

        async def arrived() -> bool:
            await channels.publish("a", 1)
            return bool(seen)

        await until(arrived)


async def test_a_frozen_redis_is_left_after_the_deadline(
    redis: Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    channels = channels_of(redis_server, timeout=0.5, claim_after=0.2)
    seen = collecting(channels, "a")
    async with channels:
        with redis_server.frozen():
            await until(lambda: "the channels lost Redis" in caplog.text)
        await until(lambda: "connected to Redis again" in caplog.text)

        async def arrived() -> bool:
            try:
                await channels.publish("a", 1)
            except StoreUnavailable:
                return False
            return bool(seen)

        await until(arrived)


async def test_what_cannot_be_told_to_redis_is_logged(
    redis: Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    bus = Streams("unix:///no/such/redis.sock", group="mailer", timeout=PATIENCE)
    await bus._touch(b"1-1", idle=0)
    await bus._leave()
    assert "could not be told what is being worked on" in caplog.text
    assert "a consumer could not be taken off the stream" in caplog.text
    with pytest.raises(StoreUnavailable):
        await bus._join()


# -- how much there may be


async def test_a_full_stream_is_cleared_of_what_all_groups_have_done_with(
    redis: Redis, redis_server: RedisServer
) -> None:
    one, two = channels_of(redis_server, max_backlog=10), channels_of(redis_server, "audit", max_backlog=10)
    here, there = collecting(one, "a"), collecting(two, "a")
    async with one, two:
        for number in range(45):
            await one.publish("a", number)

            async def done(count: int = number + 1) -> bool:
                both = len(here) == len(there) == count
                return both and await pending(redis) == await pending(redis, "audit") == 0

            await until(done)
            assert await redis.xlen(STREAM) <= 10
    assert [data for _, data, _ in here] == list(range(45))


async def test_publishing_is_refused_where_a_group_has_not_done_with_a_full_stream_and_nothing_is_thrown_away(
    redis: Redis, redis_server: RedisServer
) -> None:
    publisher = channels_of(redis_server, None, max_backlog=5)
    async with publisher:
        for number in range(5):
            await publisher.publish("a", number)
        with pytest.raises(BacklogFull, match="is full with 5 messages: no group reads it") as caught:
            await publisher.publish("a", 5)
        assert caught.value.status == 503
        await redis.xgroup_create(STREAM, "late", "0")
        await redis.xgroup_create(STREAM, "quick", "$")
        with pytest.raises(BacklogFull, match="the group 'late' has not done with them"):
            await publisher.publish("a", 5)
        ((_, entries),) = cast("Any", await redis.xreadgroup("late", "x", {STREAM: ">"}, count=3))
        with pytest.raises(BacklogFull, match="the group 'late' has not done with them"):
            await publisher.publish("a", 5)
        await redis.xack(STREAM, "late", entries[0][0], entries[1][0])
        await publisher.publish("a", 5)
        assert cast("Any", await redis.xrange(STREAM, count=1))[0][0] == entries[2][0]
        assert await redis.xlen(STREAM) == 4


async def test_a_message_that_is_too_long_is_not_taken(redis: Redis, redis_server: RedisServer) -> None:
    async with channels_of(redis_server, max_message="100b") as channels:
        with pytest.raises(ValueError, match="are allowed; see max_message"):
            await channels.publish("a", "x" * 200)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"group": ""}, ValueError, "Streams: group must be text that is not empty, or None, not ''"),
        ({"group": 7}, ValueError, "Streams: group must be text"),
        ({"prefix": 7}, ValueError, "Streams: prefix must be text"),
        ({"timeout": 0}, ValueError, "Streams: timeout must be above 0"),
        ({"attempts": 0}, ValueError, "Streams: attempts must be an integer of 1 or more"),
        ({"claim_after": "soon"}, ValueError, "invalid duration 'soon'"),
        ({"claim_after": 0}, ValueError, "Streams: claim_after must be above 0"),
        ({"max_backlog": 1.5}, ValueError, "Streams: max_backlog must be an integer of 1 or more"),
        ({"max_message": "1zb"}, ValueError, "invalid size"),
        ({"max_message": 0}, ValueError, "Streams: max_message must be above 0"),
        ({"max_dead": 0}, ValueError, "Streams: max_dead must be an integer of 1 or more"),
    ],
)
def test_options_out_of_range_are_refused(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Streams("redis://h", **{"group": "mailer", **options})

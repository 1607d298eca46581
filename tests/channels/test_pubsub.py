"""Channels over Redis's pub/sub. The server is real."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from asgi_express import Express, MisuseError
from asgi_express.channels import Channels, Delivery, PublishErrors, PubSub, Stop, event
from asgi_express.channels._line import read
from asgi_express.stores import StoreUnavailable
from tests.channels.test_channels import give_up
from tests.channels.waiting import PATIENCE, until
from tests.stores.redis_server import RedisServer


@pytest.fixture(autouse=True)
def empty(redis_server: RedisServer) -> None:
    redis_server.ask("FLUSHALL")


def channels_of(server: RedisServer, **options: Any) -> Channels:
    return Channels(bus=PubSub(server.url, timeout=PATIENCE, **options))


def collecting(channels: Channels, *names: str) -> list[Any]:
    """Subscribe to channels, and return a list of what they were given and where from."""
    seen: list[Any] = []

    def note(data: Any, delivery: Delivery) -> None:
        seen.append((delivery.channel, data, delivery.remote))

    for name in names:
        channels.subscribe(name, note)
    return seen


@event("shop:sold")
@dataclass(frozen=True)
class Sold:
    item: str
    price: int = 0


async def test_a_publish_reaches_the_subscribers_of_every_process_and_its_parents_once(
    redis_server: RedisServer,
) -> None:
    one, two, other = (channels_of(redis_server, prefix=prefix) for prefix in ("shop", "shop", "other"))
    here, there, apart = (collecting(each, "data:store", "*") for each in (one, two, other))
    one.subscribe("data:store", lambda: "result")
    two.subscribe("data:store", lambda: "lost on the way")
    async with one, two, other:
        outcome = await one.publish("data:store:user", {"id": 7})
        await two.publish("done")
        await until(lambda: len(there) >= 3 and len(here) >= 3)
    assert outcome.results == ["result"]
    assert here == [("data:store:user", {"id": 7}, False)] * 2 + [("done", None, True)]
    assert there[:2] == [("data:store:user", {"id": 7}, True)] * 2 or there[0] == ("done", None, False)
    assert sorted(map(repr, there)) == sorted(
        map(repr, [("data:store:user", {"id": 7}, True)] * 2 + [("done", None, False)])
    )
    assert apart == []


async def test_messages_of_one_process_arrive_in_order(redis_server: RedisServer) -> None:
    one, two = channels_of(redis_server), channels_of(redis_server)
    seen = collecting(two, "n")
    async with one, two:
        for number in range(500):
            await one.publish("n", number)
        await until(lambda: len(seen) == 500)
    assert [data for _, data, _ in seen] == list(range(500))


async def test_a_subscriber_whose_work_was_cancelled_does_not_end_the_listening(redis_server: RedisServer) -> None:
    one, two = channels_of(redis_server), channels_of(redis_server)
    two.subscribe("n", give_up)
    seen = collecting(two, "n")
    async with one, two:
        await one.publish("n", 1)
        await one.publish("n", 2)
        await until(lambda: len(seen) == 2)


async def test_an_event_of_a_class_arrives_as_one_where_the_class_is_known(redis_server: RedisServer) -> None:
    one, two, three = (channels_of(redis_server) for _ in range(3))
    typed: list[Any] = []
    two.subscribe(Sold, typed.append)
    named = collecting(two, "shop")
    unknown = collecting(three, "shop")
    async with one, two, three:
        await one.publish(Sold("pear", 3))
        await one.publish("shop:sold", {"item": "fig"})
        await until(lambda: len(named) == 2 and len(unknown) == 2)
    assert typed == [Sold("pear", 3)]
    assert [data for _, data, _ in named] == [Sold("pear", 3), {"item": "fig"}]
    assert [data for _, data, _ in unknown] == [{"item": "pear", "price": 3}, {"item": "fig"}]


async def test_stop_ends_it_in_its_own_process_alone(redis_server: RedisServer) -> None:
    one, two = channels_of(redis_server), channels_of(redis_server)
    one.subscribe("a", lambda: Stop("here"))
    seen = collecting(two, "a")
    async with one, two:
        assert (await one.publish("a", 1)).results == ["here"]
        await until(lambda: seen)


async def test_what_is_local_stays_in_its_process(redis_server: RedisServer) -> None:
    one, two = channels_of(redis_server), channels_of(redis_server)
    one.subscribe("a", lambda data: data)
    seen = collecting(two, "a", "end")
    async with one, two:
        assert (await one.publish("a", (b"anything",), local=True)).results == [(b"anything",)]
        await one.publish("end")
        await until(lambda: seen)
    assert seen == [("end", None, True)]


async def test_errors_over_there_go_to_on_error_there_and_not_to_the_publisher(redis_server: RedisServer) -> None:
    errors: list[Exception] = []

    async def note(error: Exception) -> None:
        await asyncio.sleep(0)
        errors.append(error)

    one = channels_of(redis_server)
    two = Channels(bus=PubSub(redis_server.url, timeout=PATIENCE), on_error=note)
    two.subscribe(Sold, lambda sold: 1 / sold.price)
    async with one, two:
        await one.publish(Sold("pear", 0))
        await until(lambda: errors)
        (error,) = errors
        assert isinstance(error, PublishErrors)
        assert isinstance(error.exceptions[0], ZeroDivisionError)


async def test_without_on_error_they_go_to_the_log_and_an_on_error_that_fails_does_too(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(error: Exception) -> None:
        raise KeyError("no mail")

    one, two = channels_of(redis_server), channels_of(redis_server)
    three = Channels(bus=PubSub(redis_server.url, timeout=PATIENCE), on_error=fail)
    for each in (two, three):
        each.subscribe("a", lambda data: 1 / data)
    with caplog.at_level(logging.ERROR):
        async with one, two, three:
            await one.publish("a", 0)
            await until(lambda: len(caplog.records) == 2)
    assert "ZeroDivisionError: division by zero" in caplog.text
    assert "1 subscriber of 'a' failed" in caplog.text
    assert "on_error failed, for: PublishErrors" in caplog.text
    assert "no mail" in caplog.text


async def test_an_event_that_does_not_fit_its_class_here_is_an_error_and_no_handler_sees_it(
    redis_server: RedisServer,
) -> None:
    errors: list[Exception] = []

    @event("shop:sold")
    @dataclass
    class Newer:
        item: int

    one = channels_of(redis_server)
    two = Channels(bus=PubSub(redis_server.url, timeout=PATIENCE), on_error=errors.append, types=[Newer])
    seen = collecting(two, "*")
    async with one, two:
        await one.publish(Sold("pear"))
        await until(lambda: errors)
    assert seen == []
    (error,) = errors
    assert isinstance(error, PublishErrors)
    assert "expected the fields of" in str(error.exceptions[0])
    assert error.exceptions[0].__notes__ == ["reading what came on 'shop:sold'"]


async def test_the_connection_that_breaks_is_opened_again(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = channels_of(redis_server), channels_of(redis_server)
    seen = collecting(two, "a")
    async with one, two:
        redis_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: caplog.text.count("connected to Redis again") == 2)
        await one.publish("a", "after")
        await until(lambda: seen)
    assert seen == [("a", "after", True)]
    assert "the channels lost Redis" in caplog.text


async def test_a_server_that_was_away_is_found_again_and_meanwhile_the_publisher_is_told(
    redis_server: RedisServer,
) -> None:
    one, two = channels_of(redis_server), channels_of(redis_server)
    seen = collecting(two, "a")
    one.subscribe("a", lambda: "called all the same")
    async with one, two:
        redis_server.stop()
        try:
            with pytest.raises(PublishErrors) as caught:
                await one.publish("a", "lost")
            assert isinstance(caught.value.exceptions[0], StoreUnavailable)
            assert caught.value.exceptions[0].__notes__ == ["while sending to the other processes"]
            assert caught.value.outcome.results == ["called all the same"]
        finally:
            redis_server.start()

        async def arrived() -> bool:
            try:
                await one.publish("a", "found")
            except PublishErrors:
                return False
            return bool(seen)

        await until(arrived)
    assert {data for _, data, _ in seen} == {"found"}


async def test_a_silent_server_is_asked_and_one_that_does_not_answer_is_left(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    one = channels_of(redis_server, ping_every=0.2)
    seen = collecting(one, "a")
    async with one, channels_of(redis_server) as two:
        async with Redis.from_url(redis_server.url) as client:

            async def pinged() -> bool:
                return bool((await client.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0) > 2)

            await until(pinged)
        assert caplog.text == ""
        with redis_server.frozen():
            await until(lambda: "Redis said nothing for 0.4 seconds" in caplog.text)
        await until(lambda: "connected to Redis again" in caplog.text)
        await two.publish("a", 1)
        await until(lambda: seen)


async def test_a_process_that_is_too_slow_drops_messages_and_says_so_once(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    bus = PubSub(redis_server.url, timeout=PATIENCE, max_pending=3)
    one, two = channels_of(redis_server), Channels(bus=bus)
    go = asyncio.Event()
    seen: list[int] = []

    async def slow(number: int) -> None:
        await go.wait()
        seen.append(number)

    two.subscribe("n", slow)
    async with one, two:
        for number in range(10):
            await one.publish("n", number)
        await until(lambda: bus.dropped >= 6)
        go.set()
        await until(lambda: len(seen) == 10 - bus.dropped)
    assert seen == sorted(seen)
    assert len(caplog.records) == 1
    assert "messages of channels are dropped: 3 wait for subscribers already" in caplog.text


async def test_what_others_publish_there_is_logged_and_passed_over(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = channels_of(redis_server), channels_of(redis_server)
    seen = collecting(two, "a")
    async with one, two:
        redis_server.ask("PUBLISH", "asgi_express:channels", "hello")
        await one.publish("a", 1)
        await until(lambda: seen)
    assert "something else than channels publishes on 'asgi_express:channels'" in caplog.text


async def test_a_message_that_is_too_long_is_not_sent(redis_server: RedisServer) -> None:
    async with channels_of(redis_server, max_message=100) as one:
        with pytest.raises(PublishErrors) as caught:
            await one.publish("a", "x" * 200)
    assert "are allowed; see max_message" in str(caught.value.exceptions[0])


async def test_channels_with_a_bus_are_to_be_entered_and_only_once_at_a_time(redis_server: RedisServer) -> None:
    channels = channels_of(redis_server)
    with pytest.raises(MisuseError, match="channels with a bus are to be entered"):
        await channels.publish("a")
    async with channels:
        with pytest.raises(MisuseError, match="these channels are entered already"):
            await channels.__aenter__()
    async with channels:
        await channels.publish("a")


async def test_a_server_that_is_not_there_at_the_beginning_is_an_error(redis_server: RedisServer) -> None:
    channels = Channels(bus=PubSub("unix:///no/such/redis.sock", timeout=PATIENCE))
    with pytest.raises(StoreUnavailable, match="the channels cannot be connected to Redis"):
        await channels.__aenter__()
    with pytest.raises(MisuseError, match="are to be entered"):
        await channels.publish("a")


async def test_a_client_of_redis_py_will_do_and_the_newer_protocol_too(redis_server: RedisServer) -> None:
    async with Redis.from_url(redis_server.url, protocol=3) as client:
        one, two = channels_of(redis_server), Channels(bus=PubSub(client, timeout=PATIENCE, ping_every=0.2))
        seen = collecting(two, "a")
        async with one, two:
            await one.publish("a", 1)
            await until(lambda: seen)


async def test_an_application_runs_them(redis_server: RedisServer) -> None:
    channels = channels_of(redis_server)
    app = Express(lifespan=channels.lifespan)
    async with app.serve(port=0):
        await channels.publish("a")
    with pytest.raises(MisuseError, match="are to be entered"):
        await channels.publish("a")


async def test_a_fault_of_ours_while_listening_is_logged_and_the_listening_begins_anew(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = channels_of(redis_server), channels_of(redis_server)
    seen = collecting(two, "a")
    async with one, two:
        with monkeypatch.context() as patch:
            patch.setattr(PubSub, "_take", lambda self: "takes no more")
            await one.publish("a", "lost")
            await until(lambda: caplog.text.count("the channels failed while listening; they begin anew") >= 2)

        async def arrived() -> bool:
            await one.publish("a", "found")
            return bool(seen)

        await until(arrived)


async def test_a_cancellation_that_is_lost_on_the_way_out_of_redis_py_is_one_all_the_same() -> None:
    class Losing:
        """What asyncio.wait_for of CPython 3.11 does at times, every time."""

        async def read_response(self, **options: Any) -> bytes:
            reading.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return b"PONG"

    reading = asyncio.Event()
    task = asyncio.ensure_future(read(Losing()))
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("server", "options", "error", "words"),
    [
        ("redis://h", {"timeout": 0}, ValueError, "PubSub: timeout must be above 0"),
        ("redis://h", {"ping_every": -1}, ValueError, "PubSub: ping_every must be above 0"),
        ("redis://h", {"max_message": 0}, ValueError, "PubSub: max_message must be above 0"),
        ("redis://h", {"max_pending": True}, ValueError, "PubSub: max_pending must be an integer of 1 or more"),
        ("redis://h", {"prefix": ""}, ValueError, "PubSub: prefix must be text that is not empty"),
        ("http://h", {}, ValueError, "Redis URL must specify"),
        (7, {}, TypeError, "must be a URL or a redis.asyncio.Redis, not int"),
    ],
)
def test_options_out_of_range_are_refused(server: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        PubSub(server, **options)

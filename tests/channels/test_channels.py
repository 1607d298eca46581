"""Channels in one process."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from typing import Any

import pytest

from asgi_express import MisuseError, blocking
from asgi_express.channels import Channels, Delivery, PublishErrors, Stop
from asgi_express.channels._names import parse_name, written


def recorder(channels: Channels, *names: str) -> list[str]:
    """Subscribe to channels, and return a list that they write their names into."""
    called: list[str] = []
    for name in names:
        channels.subscribe(name, functools.partial(called.append, name), when=None)
    return called


def fail(*args: Any) -> None:
    raise ValueError("no disk")


# -- names


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("data", ("data",), "data"),
        ("data:store:user", ("data", "store", "user"), "data:store:user"),
        (["data", "a:b", "*"], ("data", "a:b", "*"), "data:a:b:*"),
        (("data", "ключ"), ("data", "ключ"), "data:ключ"),
        ("*", (), "*"),
        ([], (), "*"),
    ],
)
def test_a_name_is_text_with_colons_or_a_list(name: Any, path: tuple[str, ...], text: str) -> None:
    assert parse_name(name) == path
    assert written(path) == text


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("", ValueError, "a part must not be empty"),
        ("data::user", ValueError, "a part must not be empty"),
        ("data:", ValueError, "a part must not be empty"),
        (["data", ""], ValueError, "a part must not be empty"),
        ("data:*", ValueError, "there are no patterns"),
        ("da\nta", ValueError, "no control characters"),
        (["data", 7], TypeError, "a part must be text, not 7"),
        (7, TypeError, "a channel is named by text such as 'data:store:user', or a list of its parts, not 7"),
    ],
)
def test_what_is_no_name_is_refused_with_words(name: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Channels().subscribe(name, print)


# -- publishing


async def test_a_publish_reaches_the_channel_then_every_parent_and_never_a_child_or_a_sibling() -> None:
    channels = Channels()
    called = recorder(channels, "*", "data", "data:store:user:7", "data:store", "data:read", "data:store:user", "log")
    await channels.publish("data:store:user", None)
    assert called == ["data:store:user", "data:store", "data", "*"]


async def test_a_publish_on_the_root_reaches_those_who_hear_everything_alone() -> None:
    channels = Channels()
    called = recorder(channels, "*", "data")
    await channels.publish("*")
    assert called == ["*"]


async def test_a_publish_that_nobody_hears_gives_nothing_and_leaves_nothing_behind() -> None:
    channels = Channels()
    outcome = await channels.publish(["a"] * 100_000, "data")
    assert (outcome.results, outcome.errors, outcome.stopped, outcome.id, outcome.first) == ([], [], False, None, None)
    assert channels._tree._root.children == {}


async def test_results_are_collected_in_order_and_none_is_left_out_but_what_is_false_is_not() -> None:
    channels = Channels()
    channels.subscribe("a", lambda: "parent")
    for value in (0, None, "", False):
        channels.subscribe("a:b", lambda value=value: value)
    outcome = await channels.publish("a:b")
    assert outcome.results == [0, "", False, "parent"]
    assert outcome.first == 0


async def test_stop_ends_a_publish_with_or_without_a_value() -> None:
    channels = Channels()
    called = recorder(channels, "a", "a:b")
    channels.subscribe("a:b", lambda: Stop("enough"), priority=1)
    channels.subscribe("x", lambda: Stop())
    outcome = await channels.publish("a:b")
    assert (outcome.results, outcome.stopped, called) == (["enough"], True, [])
    outcome = await channels.publish("x")
    assert (outcome.results, outcome.stopped) == ([], True)


async def test_handlers_are_plain_or_async_and_take_what_they_have_parameters_for() -> None:
    channels = Channels()
    seen: list[Any] = []

    async def both(data: Any, delivery: Delivery) -> str:
        await asyncio.sleep(0)
        return f"{data} on {delivery.channel}, path {delivery.path}, {delivery.attempt}, {delivery.remote}"

    class Counter:
        def __call__(self, data: Any) -> str:
            return f"called with {data}"

    channels.subscribe("a", lambda: "nothing")
    channels.subscribe("a", lambda data: f"data {data}")
    channels.subscribe("a", lambda data="default": f"optional {data}")
    channels.subscribe("a", lambda *args: len(args))
    channels.subscribe("a", both)
    channels.subscribe("a", Counter())
    channels.subscribe("a", seen.append)
    channels.subscribe("a", dict)
    outcome = await channels.publish("a:b", ())
    assert outcome.results == [
        *("nothing", "data ()", "optional default", 2, "() on a:b, path ('a', 'b'), 1, False", "called with ()", {}),
    ]
    assert seen == [()]


async def test_a_blocking_handler_runs_in_a_thread() -> None:
    channels = Channels()
    channels.subscribe("a", blocking(lambda data: threading.current_thread() is threading.main_thread()))
    assert (await channels.publish("a")).results == [False]


async def test_the_lowest_priority_is_first_those_without_are_last_equal_ones_in_order_of_subscribing() -> None:
    channels = Channels()
    for name, priority in [("none", None), ("two", 2), ("one", 1), ("two again", 2), ("minus", -1.5), ("none 2", None)]:
        channels.subscribe("a", lambda name=name: name, priority=priority)
    assert (await channels.publish("a")).results == ["minus", "one", "two", "two again", "none", "none 2"]


async def test_a_predicate_says_whether_a_handler_is_called_and_the_publish_goes_on() -> None:
    channels = Channels()

    async def is_even(number: int) -> bool:
        await asyncio.sleep(0)
        return number % 2 == 0

    channels.subscribe("a:b", lambda: "small", when=lambda number: number < 10)
    channels.subscribe("a:b", lambda: "even", when=is_even)
    channels.subscribe("a", lambda: "any")
    assert (await channels.publish("a:b", 12)).results == ["even", "any"]
    assert (await channels.publish("a:b", 3)).results == ["small", "any"]


async def test_a_handler_may_publish() -> None:
    channels = Channels()
    channels.subscribe("inner", lambda data: data + 1)

    async def outer(data: int) -> Any:
        return (await channels.publish("inner", data)).first

    channels.subscribe("outer", outer)
    assert (await channels.publish("outer", 1)).results == [2]


# -- errors


async def test_the_error_of_one_stops_no_other_and_all_are_raised_together_with_the_results() -> None:
    channels = Channels()
    channels.subscribe("data:store", fail)
    channels.subscribe("data:store", lambda: "stored")
    channels.subscribe("data", lambda data: 1 / data)
    channels.subscribe("*", lambda: "logged")
    with pytest.raises(PublishErrors, match="2 subscribers of 'data:store' failed") as caught:
        await channels.publish("data:store", 0)
    errors = caught.value
    assert [type(error) for error in errors.exceptions] == [ValueError, ZeroDivisionError]
    assert errors.outcome.results == ["stored", "logged"]
    assert errors.outcome.errors == list(errors.exceptions)
    (note,) = errors.exceptions[0].__notes__
    assert note == "in <Subscription 1 of 'data:store': tests.channels.test_channels.fail>, called for 'data:store'"
    assert caught.traceback  # each keeps its own
    assert errors.exceptions[0].__traceback__ is not None


async def test_errors_can_be_sorted_by_kind_and_keep_their_outcome() -> None:
    channels = Channels()
    channels.subscribe("a", fail)
    channels.subscribe("a", lambda data: 1 / data)
    found: list[Any] = []
    try:
        await channels.publish("a", 0)
    except* ValueError as errors:
        found.append(errors)
    except* ZeroDivisionError as errors:
        found.append(errors)
    assert [len(errors.exceptions) for errors in found] == [1, 1]
    assert [len(errors.outcome.errors) for errors in found] == [2, 2]


async def test_a_predicate_that_raises_keeps_the_handler_from_being_called_and_is_told() -> None:
    channels = Channels()
    called = []
    channels.subscribe("a", lambda: called.append(1), when=fail)
    with pytest.raises(PublishErrors, match="1 subscriber of 'a' failed"):
        await channels.publish("a")
    assert called == []


async def test_errors_before_a_cancellation_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    channels = Channels()
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    channels.subscribe("a", fail)
    channels.subscribe("a", hang)
    publishing = asyncio.ensure_future(channels.publish("a"))
    await begun.wait()
    publishing.cancel()
    with caplog.at_level(logging.ERROR), pytest.raises(asyncio.CancelledError):
        await publishing
    assert "1 subscriber of 'a' failed" in caplog.text
    assert "ValueError: no disk" in caplog.text


async def give_up() -> None:
    """Wait for something that is cancelled."""
    given_up = asyncio.ensure_future(asyncio.sleep(60))
    given_up.cancel()
    await given_up


async def test_a_subscriber_whose_work_was_cancelled_has_failed_and_cancels_nothing_else() -> None:
    channels = Channels()
    channels.subscribe("data:user", give_up)
    channels.subscribe("data", lambda: "called all the same")
    with pytest.raises(PublishErrors) as caught:
        await channels.publish("data:user")
    (error,) = caught.value.exceptions
    assert (type(error), type(error.__cause__)) == (RuntimeError, asyncio.CancelledError)
    assert caught.value.outcome.results == ["called all the same"]


async def test_a_cancellation_without_errors_is_one(caplog: pytest.LogCaptureFixture) -> None:
    channels = Channels()
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    channels.subscribe("a", hang)
    publishing = asyncio.ensure_future(channels.publish("a"))
    await begun.wait()
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert caplog.text == ""


# -- unsubscribing


async def test_a_subscription_ends_by_its_handle_by_its_id_or_with_its_block() -> None:
    channels = Channels()
    one, two = channels.subscribe("a", lambda: 1), channels.subscribe("a", lambda: 2)
    with channels.subscribe("a", lambda: 3) as three:
        assert (await channels.publish("a")).results == [1, 2, 3]
    one.unsubscribe()
    one.unsubscribe()
    assert (await channels.publish("a")).results == [2]
    assert channels.subscription(two.id) is two
    assert channels.unsubscribe(two.id) is True
    assert channels.unsubscribe(two.id) is False
    assert channels.subscription(two.id) is None
    assert (await channels.publish("a")).results == []
    assert [each.active for each in (one, two, three)] == [False] * 3


async def test_removing_from_a_child_takes_nothing_from_its_parent() -> None:
    channels = Channels()
    channels.subscribe("a", lambda: "parent")
    child = channels.subscribe("a:b", lambda: "child")
    deeper = channels.subscribe("a:b:c", lambda: "deeper")
    child.unsubscribe()
    assert (await channels.publish("a:b:c")).results == ["deeper", "parent"]
    deeper.unsubscribe()
    assert list(channels._tree._root.children["a"].children) == []
    assert (await channels.publish("a:b:c")).results == ["parent"]


async def test_a_handler_may_remove_itself_and_others_while_the_publish_runs() -> None:
    channels = Channels()
    called: list[str] = []

    def first() -> None:
        called.append("first")
        one.unsubscribe()
        third.unsubscribe()
        channels.subscribe("a", lambda: called.append("new"))

    one = channels.subscribe("a", first)
    channels.subscribe("a", lambda: called.append("second"))
    third = channels.subscribe("a", lambda: called.append("third"))
    channels.subscribe("a", lambda: called.append("fourth"))
    await channels.publish("a")
    assert called == ["first", "second", "fourth"]
    called.clear()
    await channels.publish("a")
    assert called == ["second", "fourth", "new"]


async def test_a_subscription_is_updated_in_place() -> None:
    channels = Channels()
    channels.subscribe("a", lambda: "fixed", priority=5)
    subscription = channels.subscribe("a", lambda: "old")
    assert (
        subscription.update(handler=lambda data: f"new {data}", priority=1, when=lambda data: data > 0) is subscription
    )
    assert (await channels.publish("a", 2)).results == ["new 2", "fixed"]
    assert (await channels.publish("a", 0)).results == ["fixed"]
    subscription.update(priority=None, when=None)
    assert (await channels.publish("a", 0)).results == ["fixed", "new 0"]
    subscription.unsubscribe()
    subscription.update(priority=1)
    assert (await channels.publish("a", 0)).results == ["fixed"]


# -- subscribing wrongly


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"handler": "print"}, r"expected a function of \(\), \(data\) or \(data, delivery\), got 'print'"),
        ({"handler": lambda a, b, c: None}, "takes 3 positional parameters"),
        ({"handler": print, "priority": "high"}, "priority must be a number, of which the lowest is called first"),
        ({"handler": print, "priority": True}, "priority must be a number"),
        ({"handler": print, "priority": float("nan")}, "priority must be a number"),
        ({"handler": print, "when": 7}, "when must be a function of the data, not 7"),
    ],
)
def test_what_cannot_be_subscribed_is_refused_with_words_and_leaves_nothing(options: Any, words: str) -> None:
    channels = Channels()
    with pytest.raises(TypeError, match=words):
        channels.subscribe("a:b", **options)
    assert (len(channels), bool(channels), channels._tree._root.children) == (0, True, {})


def test_there_are_no_more_subscriptions_than_were_allowed() -> None:
    channels = Channels(max_subscriptions=2)
    recorder(channels, "a", "b")
    with pytest.raises(MisuseError, match="there are 2 subscriptions; see the option max_subscriptions"):
        channels.subscribe("c", print)
    channels.unsubscribe(1)
    channels.subscribe("c", print)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"max_subscriptions": 0}, ValueError, "max_subscriptions must be an integer of 1 or more, not 0"),
        ({"max_subscriptions": True}, ValueError, "max_subscriptions must be an integer of 1 or more"),
        ({"max_subscriptions": 1.5}, ValueError, "max_subscriptions must be an integer of 1 or more"),
        ({"bus": "redis://"}, TypeError, r"bus must be PubSub\(...\), Streams\(...\) or like them, not 'redis://'"),
        ({"on_error": 7}, TypeError, "on_error must be a function of the error, not 7"),
    ],
)
def test_options_out_of_range_are_refused(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Channels(**options)


async def test_channels_in_one_process_may_be_entered_and_need_not() -> None:
    async with Channels() as channels:
        channels.subscribe("a", lambda: 1)
        assert (await channels.publish("a")).results == [1]
    assert (await channels.publish("a")).results == [1]


# -- from a mapping

HERE = "tests.channels.handlers"


async def test_subscriptions_come_from_a_mapping() -> None:
    channels = Channels(
        {
            "data:request:user:get": f"{HERE}#get_user",
            "data:request:user:save": [f"{HERE}#save_user", {"handler": lambda: "audited", "priority": 1}],
            "data:request:user:delete": {"handler": f"{HERE}#Store.delete", "when": f"{HERE}#is_small"},
        }
    )
    assert (await channels.publish("data:request:user:get", 7)).results == [{"id": 7}]
    assert (await channels.publish("data:request:user:save", "ada")).results == ["audited", "saved ada"]
    assert (await channels.publish("data:request:user:delete", 7)).results == ["deleted 7"]
    assert (await channels.publish("data:request:user:delete", 11)).results == []


@pytest.mark.parametrize(
    ("events", "error", "words"),
    [
        (["a"], TypeError, "events must be a mapping of channels to handlers"),
        ({"a": "tests.channels.handlers"}, ValueError, "'a' names .*; expected 'package.module#name'"),
        ({"a": "#name"}, ValueError, "expected 'package.module#name'"),
        ({"a": "no.such.module#name"}, ImportError, "which cannot be imported: No module named 'no'"),
        ({"a": f"{HERE}#nobody"}, ValueError, "but tests.channels.handlers has no 'nobody'"),
        ({"a": f"{HERE}#LIMIT"}, TypeError, "expected a function of .*, got 10"),
        ({"a": {"handler": print, "prio": 1}}, ValueError, "has the options .*'prio'.*; there are handler, priority"),
        ({"a": {"priority": 1}}, ValueError, "there are handler, priority, when"),
        ({"a:": print}, ValueError, "a part must not be empty"),
        ({"a": 7}, TypeError, "expected a function of .*, got 7"),
    ],
)
def test_a_mapping_is_checked_when_the_channels_are_made(events: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Channels(events)

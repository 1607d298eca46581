"""Events as dataclasses, and what of them can travel."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Optional, cast

import pytest

from asgi_express.channels import Channels, event
from asgi_express.channels._typed import check_plain, reader
from asgi_express.channels._wire import Message


@dataclass(frozen=True)
class Address:
    street: str
    number: int | None = None


@dataclass(frozen=True)
class Everything:
    text: str
    ratio: float
    flag: bool
    nothing: None
    anything: Any
    address: Address
    names: list[str]
    points: tuple[int, ...]
    prices: dict[str, float]
    bare_list: list  # type: ignore[type-arg]
    bare_dict: dict  # type: ignore[type-arg]
    mode: Literal["fast", 1]
    older: Optional[Address] = None  # noqa: UP045 - both spellings are in use
    next: Everything | None = None
    made: int = field(default=0, init=False)


FULL: dict[str, Any] = {
    "text": "a",
    "ratio": 2,
    "flag": True,
    "nothing": None,
    "anything": [{"x": 1}],
    "address": {"street": "S", "number": 7},
    "names": ["n"],
    "points": [1, 2],
    "prices": {"p": 1.5},
    "bare_list": [1],
    "bare_dict": {"a": None},
    "mode": "fast",
    "older": {"street": "O"},
}


def test_an_event_comes_back_as_it_was() -> None:
    read = reader(Everything)({**FULL, "next": FULL})
    assert read.address == Address("S", 7)
    assert read.older == Address("O", None)
    assert (read.points, read.ratio, type(read.ratio)) == ((1, 2), 2.0, float)
    assert (read.prices, read.bare_dict, read.mode, read.anything) == ({"p": 1.5}, {"a": None}, "fast", [{"x": 1}])
    assert read.next == reader(Everything)(FULL)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": 7}, "Everything.text: expected str, got 7"),
        ({"ratio": True}, "Everything.ratio: expected float, got True"),
        ({"flag": 1}, "Everything.flag: expected bool, got 1"),
        ({"nothing": 0}, "Everything.nothing: expected NoneType, got 0"),
        ({"address": "S"}, "expected the fields of Address, got 'S'"),
        ({"address": {"street": "S", "zip": 1}}, "expected the fields of Address"),
        ({"address": {}}, "missing 1 required positional argument: 'street'"),
        ({"names": "n"}, "Everything.names: expected a list, got 'n'"),
        ({"names": [1]}, "Everything.names: expected str, got 1"),
        ({"points": {}}, "Everything.points: expected a list"),
        ({"prices": []}, "Everything.prices: expected an object"),
        ({"mode": 1.0}, r"Everything.mode: expected one of \('fast', 1\), got 1.0"),
        ({"older": 7}, "Everything.older: expected the fields of Address, got 7; .*expected NoneType"),
        ({"made": 1}, "expected the fields of Everything"),
    ],
)
def test_what_is_no_such_event_is_refused_with_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        reader(Everything)({**FULL, **change})


@pytest.mark.parametrize("hint", [datetime, set[str], tuple[int, str], dict[int, str], list[bytes], type])
def test_an_event_with_a_field_that_json_does_not_bring_back_cannot_travel(hint: Any) -> None:
    @event("a")
    @dataclass
    class Wrong:
        value: Any

    Wrong.__annotations__["value"] = hint
    with pytest.raises(TypeError, match=r"Wrong.value is of .*: an event that travels has fields of JSON's types"):
        Channels(bus=NoBus(), types=[Wrong])
    Channels(types=[Wrong])  # here it does not travel


class NoBus:
    """Carries nothing, and keeps what it was given."""

    fan_out = False

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def running(self, deliver: Any) -> Any:
        return self

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *error: object) -> None:
        pass

    async def send(self, message: Message) -> str:
        self.sent.append(message)
        return "1-1"


@event("shop:sold")
@dataclass(frozen=True)
class Sold:
    item: str
    price: int = 0


class SoldTwice(Sold):
    pass


async def test_subscribers_of_a_class_are_given_its_instances_alone() -> None:
    channels = Channels()
    channels.subscribe(Sold, lambda sold: f"typed {sold.item}")
    channels.subscribe("shop:sold", lambda data: f"named {type(data).__name__}")
    channels.subscribe("shop", lambda data: f"parent {type(data).__name__}")
    assert (await channels.publish(Sold("pear"))).results == ["typed pear", "named Sold", "parent Sold"]
    assert (await channels.publish("shop:sold", {"item": "pear"})).results == ["named dict", "parent dict"]
    assert (await channels.publish("shop:sold", Sold("fig"))).results[0] == "typed fig"


async def test_the_subscribers_of_a_class_on_a_parent_channel_are_not_given_what_is_below() -> None:
    @event("shop")
    @dataclass
    class Opened:
        hour: int

    channels = Channels()
    channels.subscribe(Opened, lambda opened: opened.hour)
    assert (await channels.publish(Sold("pear"))).results == []
    assert (await channels.publish(Opened(8))).results == [8]


async def test_an_event_is_published_without_further_data() -> None:
    channel: Any = Sold("pear")
    with pytest.raises(TypeError, match="the name of a channel and data, or an event alone"):
        await Channels().publish(channel, {"price": 3})


async def test_a_class_is_bound_by_its_own_decorator_and_not_by_one_above_it() -> None:
    with pytest.raises(TypeError, match=r"SoldTwice'> is bound to no channel; put @event"):
        await Channels().publish(SoldTwice("pear"))
    with pytest.raises(TypeError, match="is bound to no channel"):
        Channels().subscribe(int, print)
    with pytest.raises(TypeError, match="7 is bound to no channel"):
        Channels(types=cast("Any", [7]))


def test_only_a_dataclass_is_an_event() -> None:
    with pytest.raises(TypeError, match=r"expected a dataclass, got .*; @event stands above @dataclass"):
        event("a")(type("Plain", (), {}))
    with pytest.raises(ValueError, match="a part must not be empty"):
        event("a:")


def test_two_classes_cannot_be_bound_to_one_channel_of_the_same_channels() -> None:
    @event("shop:sold")
    @dataclass
    class Other:
        item: str

    channels = Channels(types=[Sold, Sold])
    with pytest.raises(ValueError, match="Other and Sold are both bound to 'shop:sold'"):
        channels.subscribe(Other, print)


async def test_over_a_bus_an_event_is_sent_as_its_fields_and_data_as_it_is() -> None:
    bus = NoBus()
    async with Channels(bus=bus) as channels:
        assert (await channels.publish(Sold("pear", 3))).id == "1-1"
        await channels.publish("shop:sold", {"item": "fig"})
    assert bus.sent == [
        Message(("shop", "sold"), {"item": "pear", "price": 3}, typed=True),
        Message(("shop", "sold"), {"item": "fig"}, typed=False),
    ]


def circle() -> list[Any]:
    around: list[Any] = []
    around.append(around)
    return around


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "a", [1, [{"a": [None]}]], {"a": {}}])
def test_what_json_gives_back_as_it_was_may_travel(value: Any) -> None:
    check_plain(value)
    assert Message.load(Message(("a",), value, typed=False).dump())[0].data == value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ((1, 2), r"\(1, 2\) is none of these"),
        ({1: "a"}, "is none of these"),
        ([{"a": b""}], "b'' is none of these"),
        (Sold("pear"), "Sold.* is none of these"),
        (datetime(2026, 1, 1), "is none of these"),
        (circle(), "nested 100 levels deep at most; does it contain itself"),
    ],
)
async def test_what_json_would_change_may_not(value: Any, words: str) -> None:
    async with Channels(bus=NoBus()) as channels:
        with pytest.raises(TypeError, match=words):
            await channels.publish("a", value)


async def test_nan_does_not_travel() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Message(("a",), float("nan"), typed=False).dump()


@pytest.mark.parametrize(
    "text", [b"", b"7", b"[]", b"{}", b'{"channel":7,"typed":true,"data":1}', b'{"channel":["a"]}', b"\xff", b"NaN"]
)
def test_what_is_no_message_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are those of JSON, of UTF-8, or ours
        Message.load(text)

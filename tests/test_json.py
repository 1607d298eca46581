"""JSON as JSON.stringify writes it, and Python's own types."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from asgi_express import Express
from asgi_express._json import dumps
from tests.asgi import ask
from tests.cases import assert_linear, rows


@dataclass
class User:
    id: int
    name: str
    password: str = "secret"


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Account:
    def to_json(self) -> dict[str, Any]:
        return {"user": User(1, "Ada"), "since": date(2020, 1, 2)}


class Model:
    def model_dump(self) -> dict[str, Any]:
        return {"id": 7}


@pytest.mark.parametrize(("args", "want"), rows("json", "dumps"))
def test_json_is_what_json_stringify_writes(args: tuple[Any, dict[str, Any]], want: str) -> None:
    value, options = args
    assert dumps(value, **options) == want


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (datetime(2024, 2, 29, 1, 2, 3, 4000, UTC), '"2024-02-29T01:02:03.004Z"'),
        (datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=2))), '"2024-02-29T00:00:00.000+02:00"'),
        (datetime(2024, 2, 29, 1, 2, 3), '"2024-02-29T01:02:03.000"'),
        (date(2024, 2, 29), '"2024-02-29"'),
        (time(1, 2, 3), '"01:02:03"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal("1.10"), '"1.10"'),
        (Colour.RED, '"red"'),
        (Level.HIGH, "3"),
        (User(1, "Ada"), '{"id":1,"name":"Ada","password":"secret"}'),
        (Account(), '{"user":{"id":1,"name":"Ada","password":"secret"},"since":"2020-01-02"}'),
        (Model(), '{"id":7}'),
        (QueryParams("a=1&b=2"), '{"a":"1","b":"2"}'),
        ((1, (2,)), "[1,[2]]"),
        ({1}, "[1]"),
        (frozenset("a"), '["a"]'),
        (iter([1, 2]), "[1,2]"),
        ((n * n for n in range(3)), "[0,1,4]"),
        ({1: "a", None: "b"}, '{"1":"a","null":"b"}'),
    ],
)
def test_python_types_have_their_natural_form(value: Any, want: str) -> None:
    assert dumps(value) == want


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (math.nan, "null"),
        ([1.5, -math.inf], "[1.5,null]"),
        ({"a": {"b": math.inf, "c": None, "d": "x", "e": 1}}, '{"a":{"b":null,"c":null,"d":"x","e":1}}'),
        ((item for item in (1.0, math.nan)), "[1.0,null]"),
        ([User(1, "Ada"), math.nan], '[{"id":1,"name":"Ada","password":"secret"},null]'),
    ],
)
def test_a_number_that_json_lacks_is_null_and_nothing_else_is_lost(value: Any, want: str) -> None:
    assert dumps(value) == want


@pytest.mark.parametrize("value", [b"bytes", object(), lambda: 1, {"a": {1: object()}}, User, timedelta(1), 1j])
def test_what_has_no_json_form_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def ring() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def test_a_value_that_contains_itself_is_one_with_an_indent_too() -> None:
    with pytest.raises(ValueError, match="Circular"):
        dumps(ring(), spaces=2)


class Endless:
    def to_json(self) -> Endless:
        return Endless()


@pytest.mark.parametrize("value", [ring(), [math.nan, ring()], deep(100_000), Endless()])
@pytest.mark.parametrize("replacer", [None, ["a"], lambda _key, value: value])
def test_a_value_that_contains_itself_or_has_no_end_is_a_value_error(value: Any, replacer: Any) -> None:
    with pytest.raises(ValueError, match=r"contains itself|Circular|nested"):
        dumps(value, replacer=replacer)


def test_another_value_error_is_not_swallowed() -> None:
    class Broken:
        def to_json(self) -> None:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        dumps([math.nan, Broken()])


def test_names_of_members_hide_the_rest_at_every_depth_and_in_every_type() -> None:
    value = {"users": iter([User(1, "Ada"), {"id": 2, "password": "x"}]), "password": "y"}
    assert dumps(value, replacer=["users", "id"]) == '{"users":[{"id":1},{"id":2}]}'


def test_a_replacer_function_sees_every_member_by_name_or_index() -> None:
    seen: list[Any] = []

    def replacer(key: str, value: Any) -> Any:
        seen.append(key)
        return "***" if key == "password" else value

    assert dumps({"list": [User(1, "Ada")], 5: 6}, replacer=replacer) == (
        '{"list":[{"id":1,"name":"Ada","password":"***"}],"5":6}'
    )
    assert seen == ["", "list", "0", "id", "name", "password", "5"]


@pytest.mark.parametrize(
    ("spaces", "want"),
    [
        (2, '{\n  "a": 1\n}'),
        (2.9, '{\n  "a": 1\n}'),
        (99, '{\n          "a": 1\n}'),
        ("ab" * 9, '{\nababababab"a": 1\n}'),
        (["x"], '{"a":1}'),
    ],
)
def test_the_indent_is_ten_at_most_and_other_values_are_ignored(spaces: Any, want: str) -> None:
    assert dumps({"a": 1}, spaces=spaces) == want


def test_html_specials_can_be_escaped() -> None:
    text = dumps({"<a>": "</script>&❤\ud800"}, escape=True)
    assert text == '{"\\u003ca\\u003e":"\\u003c/script\\u003e\\u0026❤\\ud800"}'
    assert json.loads(text) == {"<a>": "</script>&❤\ud800"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_json_can_be_read_back_and_sent_as_utf_8(value: Any) -> None:
    text = dumps(value)
    assert json.loads(text.encode("utf-8")) == value
    assert "\n" not in text


def test_a_megabyte_is_linear_work() -> None:
    assert_linear(lambda: dumps("\ud800" + "é" * 300_000))
    assert_linear(lambda: dumps(["<" * 300_000], escape=True))
    assert_linear(lambda: dumps(deep_dict(), replacer=["a", "b"]))


def deep_dict() -> Any:
    return [{"a": 1, "b": 2, "c": 3}] * 1000


async def test_an_application_writes_json_by_its_settings() -> None:
    app = Express()
    app.set("json spaces", "\t").set("json replacer", ["id"]).set("json escape", True)
    app.get("/", lambda req, res: res.json({"id": "<>", "password": 1}))
    answer = await ask(app)
    assert answer.text == '{\n\t"id": "\\u003c\\u003e"\n}'
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_a_value_without_a_json_form_is_a_500_and_the_next_request_is_served() -> None:
    app = Express(env="test")
    values: Iterator[Any] = iter([ring(), object(), {"fine": True}])
    app.get("/", lambda req, res: res.json(next(values)))
    assert [(await ask(app)).status for _ in range(3)] == [500, 500, 200]

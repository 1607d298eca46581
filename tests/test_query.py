"""Query strings, against querystring of Node and qs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express._query import extended, simple
from tests.cases import HOSTILE, assert_linear, rows


@pytest.mark.parametrize(("args", "want"), rows("query", "simple"))
def test_a_flat_query_is_what_querystring_reads(args: list[str], want: Any) -> None:
    assert simple(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("query", "extended"))
def test_a_nested_query_is_what_qs_reads(args: tuple[str, dict[str, Any]], want: Any) -> None:
    query, options = args
    if "error" in want:
        with pytest.raises(ValueError, match="The input exceeded the depth"):
            extended(query, **options)
    else:
        assert extended(query, **options) == want


@pytest.mark.parametrize(
    ("query", "result"),
    [
        ("", {}),
        ("a", {"a": ""}),
        ("a=1&a=2&b=3", {"a": ["1", "2"], "b": "3"}),
        ("a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        ("a+b=c+d", {"a b": "c d"}),
        ("a=1;b=2", {"a": "1;b=2"}),
        ("=1&=2&&", {"": ["1", "2"]}),
        ("a=b=c", {"a": "b=c"}),
        ("a[b]=1", {"a[b]": "1"}),
        ("a=%C3%A9&b=%E9&c=%zz&d=%&e=%C3%A9%", {"a": "é", "b": "\ufffd", "c": "%zz", "d": "%", "e": "é%"}),
        ("a=\u20ac%E9", {"a": "?\ufffd"}),
        ("__proto__=1&__class__=2", {"__proto__": "1", "__class__": "2"}),
    ],
)
def test_a_flat_query_has_text_and_lists(query: str, result: Any) -> None:
    assert simple(query) == result


@pytest.mark.parametrize(
    ("query", "result"),
    [
        ("", {}),
        ("&&", {}),
        ("=1", {}),
        ("a=1&b", {"a": "1", "b": ""}),
        ("a=1&a=2", {"a": ["1", "2"]}),
        ("a.b=1", {"a.b": "1"}),
        ("a[b][c]=1&a[b][d]=2", {"a": {"b": {"c": "1", "d": "2"}}}),
        ("a%5Bb%5d=1", {"a": {"b": "1"}}),
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[1]=y&a[0]=x", {"a": ["x", "y"]}),
        ("a[19]=x", {"a": ["x"]}),
        ("a[20]=x", {"a": {"20": "x"}}),
        ("a[999999999]=x&a[1234567890123456]=y", {"a": {"999999999": "x", "1234567890123456": "y"}}),
        ("a[01]=x", {"a": {"01": "x"}}),
        ("a[b][c][d][e][f][g][h]=1", {"a": {"b": {"c": {"d": {"e": {"f": {"[g][h]": "1"}}}}}}}),
        ("a=1&a[b]=2", {"a": ["1", {"b": "2"}]}),
        ("a[b]=1&[a]=2&a=3&a=4", {"a": [{"b": "1"}, "2", "3", "4"]}),
        ("a[=1", {"a": {"[": "1"}}),
        ("a[b=1]=2", {"a": {"b=1": "2"}}),
        ("a]=1", {"a]": "1"}),
        ("a=%E9&b=%&c=+%C3%A9", {"a": "%E9", "b": "%", "c": " é"}),
        ("__proto__=1&a[__proto__]=2&a[__proto__][b]=3&constructor[x]=4", {"a": {}, "constructor": {"x": "4"}}),
    ],
)
def test_a_nested_query_has_dictionaries(query: str, result: Any) -> None:
    assert extended(query) == result


@pytest.mark.parametrize("notation", ["a={}", "a[]={}", "a[{}]={}", "[a]={}", "a[]={}&a={}"])
def test_one_limit_holds_for_every_notation_of_a_list(notation: str) -> None:
    within = "&".join(notation.replace("{}", str(number)) for number in range(20 // notation.count("=")))
    beyond = "&".join(notation.replace("{}", str(number)) for number in range(21))
    assert isinstance(extended(within)["a"], list)
    assert isinstance(extended(beyond)["a"], dict)


def test_parameters_beyond_the_limit_are_ignored() -> None:
    query = "&".join(f"a{number}=1" for number in range(1001))
    for parse in (simple, extended):
        assert len(parse(query)) == 1000
        assert parse("a=1&b=2&c=3", parameter_limit=2) == {"a": "1", "b": "2"}


def test_a_depth_that_is_exceeded_is_an_error_where_it_is_strict() -> None:
    assert extended("a[b]=1", depth=1, strict_depth=True) == {"a": {"b": "1"}}
    with pytest.raises(ValueError, match="The input exceeded the depth"):
        extended("a[b][c]=1", depth=1, strict_depth=True)


def test_a_depth_of_zero_nests_nothing() -> None:
    assert extended("a[b]=1&[]=2&[c]=3", depth=0) == {"a[b]": "1", "0": "2", "c": "3"}


def test_no_depth_reaches_the_limit_of_recursion() -> None:
    query = "a" + "[b]" * 10_000 + "=1"
    json.dumps(extended(f"{query}&{query}2", depth=10_000))


def test_a_sentinel_tells_the_charset() -> None:
    latin, utf8 = "utf8=%26%2310003%3B", "utf8=%E2%9C%93"
    assert extended(f"a=%E9&{latin}", charset_sentinel=True) == {"a": "é"}
    assert extended(f"{utf8}&a=%C3%A9", charset_sentinel=True, charset="iso-8859-1") == {"a": "é"}
    assert extended("a=%E9&utf8=x", charset_sentinel=True) == {"a": "%E9"}
    assert extended("a=1", charset_sentinel=True) == {"a": "1"}


@pytest.mark.parametrize(
    ("entity", "character"),
    [
        ("9786", "☺"),
        ("128512", "😀"),
        ("55296", "\ufffd"),
        ("1114112", "\ufffd"),
        ("9" * 5000, "\ufffd"),
        ("x", "&#x;"),
    ],
)
def test_a_numeric_entity_is_a_character_in_latin_1_only(entity: str, character: str) -> None:
    query = f"a=%26%23{entity}%3B"
    assert extended(query, charset="iso-8859-1", interpret_numeric_entities=True) == {"a": character}
    assert extended(query, interpret_numeric_entities=True) == {"a": f"&#{entity};"}


_TEXT = st.text(alphabet="ab[]=&+% é0", max_size=6)


@given(st.dictionaries(_TEXT, _TEXT, max_size=5))
def test_what_was_quoted_is_read_back(values: dict[str, str]) -> None:
    query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in values.items())
    assert simple(query) == values


@given(st.text(alphabet="ab[]=&019%5BD", max_size=60), st.integers(0, 4), st.integers(0, 5))
def test_no_query_is_an_error_and_every_result_is_json(query: str, depth: int, limit: int) -> None:
    json.dumps([simple(query), extended(query, depth=depth, array_limit=limit)])


@pytest.mark.parametrize(
    "query",
    [
        "&" * HOSTILE,
        "=" * HOSTILE,
        "[" * HOSTILE,
        "]" * HOSTILE,
        "[]" * (HOSTILE // 2),
        "a" + "[b]" * (HOSTILE // 3),
        "[" * (HOSTILE // 2) + "]" * (HOSTILE // 2),
        "%" * HOSTILE,
        "%5B" * (HOSTILE // 3),
        "%E9" * (HOSTILE // 3),
        "+" * HOSTILE,
        "a[]=1&" * (HOSTILE // 6),
        "a[b]=1&a=1&" * (HOSTILE // 11),
        "a=" + "&#1;" * (HOSTILE // 4),
        "&".join(f"a[{number}]=1" for number in range(HOSTILE // 10)),
        "&".join(f"a[{'9' * 60}{number}]=1" for number in range(1000)),
        "9" * HOSTILE + "=1&[" + "9" * HOSTILE + "]=1",
        "a=%" + "41%" * (HOSTILE // 3),
    ],
    ids=lambda query: f"{query[:12]!r}...",
)
def test_a_hostile_query_takes_linear_time(query: str) -> None:
    def parse() -> None:
        simple(query)
        extended(query)

    assert_linear(parse)
    assert_linear(lambda: extended(query, depth=32, array_limit=1000))

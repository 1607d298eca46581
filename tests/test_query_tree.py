"""Merging the trees of a nested query: every turn of it, against qs."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express._query import extended
from asgi_express._query_tree import join, merge, plain, record, wrap
from tests.cases import rows


@pytest.mark.parametrize(("args", "want"), rows("query_tree", "extended"))
def test_keys_that_meet_are_merged_as_qs_merges_them(args: tuple[str, dict[str, Any]], want: Any) -> None:
    query, options = args
    assert extended(query, **options) == want


@pytest.mark.parametrize(
    ("chain", "value"),
    [
        (["a"], {"a": "x"}),
        (["a", "[b]"], {"a": {"b": "x"}}),
        (["a", "[]"], {"a": ["x"]}),
        (["a", "[]", "[]"], {"a": ["x"]}),
        (["a", "[1]"], {"a": ["x"]}),
        (["a", "[3]"], {"a": {"3": "x"}}),
        (["a", "[]", "[3]"], {"a": {"3": "x"}}),
        (["a", "[]", "[b]"], {"a": [{"b": "x"}]}),
        (["a", "[-1]"], {"a": {"-1": "x"}}),
        (["a", "[00]"], {"a": {"00": "x"}}),
        (["a", "[٣]"], {"a": {"٣": "x"}}),
        (["0"], {"0": "x"}),
        (["[__proto__]", "[b]"], {}),
        (["["], {"[": "x"}),
    ],
)
def test_a_leaf_stands_in_the_containers_that_its_key_names(chain: list[str], value: Any) -> None:
    assert plain(wrap(chain, "x", 3)) == value


def test_values_of_one_key_are_text_a_list_or_beyond_the_limit_a_dictionary() -> None:
    assert plain(join(["x"], 0)) == "x"
    assert plain(join(["x", "y"], 2)) == ["x", "y"]
    assert plain(join(["x", "y"], 1)) == {"0": "x", "1": "y"}


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("a=1&a[]=2", ["1", "2"]),
        ("a[]=1&a=2", ["1", "2"]),
        ("a[0]=1&a[0]=2", [["1", "2"]]),
        ("a[0]=1&[a][0]=2", ["1", "2"]),
        ("a[0][b]=1&a[0][c]=2", [{"b": "1", "c": "2"}]),
        ("a[0]=1&a[b]=2", {"0": "1", "b": "2"}),
        ("a[b]=1&a=2", [{"b": "1"}, "2"]),
        ("a[b]=1&a=2&[a]=3", [{"b": "1"}, "2", "3"]),
        ("a[b]=1&a=2&a[c]=3&[a]=4", {"0": {"b": "1"}, "1": "2", "2": "4", "c": "3"}),
        ("a[20]=1&a=2", {"20": "1", "21": "2"}),
        ("a=0&a[20]=1", {"0": "0", "21": "1"}),
        ("a[b]=1&a=", {"b": "1"}),
    ],
)
def test_different_keys_for_one_place_share_it(query: str, value: Any) -> None:
    assert extended(query)["a"] == value


def test_a_record_that_meets_an_overflow_goes_on_counting_from_the_highest_index() -> None:
    root = record({"a": "x", "5": "y"})
    merge(root, wrap(["[9]"], "z", 3), 3)
    merge(root, wrap(["[12]"], "w", 3), 3)
    assert root.overflow == 12
    assert plain(merge(root, "last", 3)) == {"a": "x", "5": "y", "9": "z", "12": "w", "13": "last"}

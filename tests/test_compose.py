"""Paths made of patterns: what path-to-regexp's ``compile`` makes, and what is refused."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asgi_express import UrlError
from asgi_express._compose import check_url, compose, with_query
from asgi_express._pattern import compile_path
from asgi_express.types import PathSpec

ID = UUID("12345678-1234-5678-1234-567812345678")


class User:
    """A model with a name in URLs."""

    def url_key(self, route: str, param: str) -> str:
        return f"{route}-{param}"


class Slug:
    url_key = "a slug"


class Numbered:
    def url_key(self) -> int:
        return 7


def made(path: PathSpec, /, **params: Any) -> str:
    return compose([compile_path(path, end=True)], params, "user")


MADE: list[tuple[PathSpec, dict[str, Any], str]] = [
    ("/", {}, "/"),
    ("/users", {}, "/users"),
    ("/users/", {}, "/users"),
    ("/:id", {"id": 7}, "/7"),
    ("/:id", {"id": "a b/c?d#e%"}, "/a%20b%2Fc%3Fd%23e%25"),
    ("/:id", {"id": "-_.!~*'()"}, "/-_.!~*'()"),
    ("/:id", {"id": "日本"}, "/%E6%97%A5%E6%9C%AC"),
    ("/:id", {"id": 1.5}, "/1.5"),
    ("/:id", {"id": ID}, f"/{ID}"),
    ("/:id", {"id": User()}, "/user-id"),
    ("/:id", {"id": Slug()}, "/a%20slug"),
    ("/:id", {"id": Numbered()}, "/7"),
    ('/:"an id"', {"an id": 1}, "/1"),
    ("/{id:int}", {"id": 7}, "/7"),
    ("/{x:float}", {"x": 2.5}, "/2.5"),
    ("/{u:uuid}", {"u": ID}, f"/{ID}"),
    ("/:a-:b", {"a": 1, "b": 2}, "/1-2"),
    ("/*path", {"path": ["a", "b c", "d/e"]}, "/a/b%20c/d%2Fe"),
    ("/*path", {"path": ["a", 1]}, "/a/1"),
    ("/*path", {"path": ("a", "")}, "/a/"),
    ("/*path/end", {"path": [Slug()]}, "/a%20slug/end"),
    ("/{path...}", {"path": "a/b c"}, "/a/b%20c"),
    ("/{path:path}", {"path": "a/b"}, "/a/b"),
    ("/{path:path}", {"path": ""}, "/"),
    ("/*", {"splat": "a/b"}, "/a/b"),
    ("/a{/b}", {}, "/a/b"),
    ("/a{/:b}", {}, "/a"),
    ("/a{/:b}", {"b": None}, "/a"),
    ("/a{/:b}", {"b": 1}, "/a/1"),
    ("/a{/:b{/:c}}", {"b": 1}, "/a/1"),
    ("/a{/:b{/:c}}", {"b": 1, "c": 2}, "/a/1/2"),
    ("/a{/:b}{.:c}", {"c": 2}, "/a.2"),
    (["/a", "/a/:b"], {"b": 1}, "/a/1"),
    (["/a", "/a/:b"], {}, "/a"),
    ([re.compile("/x"), "/a"], {}, "/a"),
    ("/é", {}, "/%C3%A9"),
]


@pytest.mark.parametrize(("path", "params", "expected"), MADE, ids=map(str, range(len(MADE))))
def test_a_path_is_made_of_its_parameters(path: PathSpec, params: dict[str, Any], expected: str) -> None:
    assert made(path, **params) == expected


REFUSED: list[tuple[PathSpec, dict[str, Any], str]] = [
    ("/:id", {}, "missing parameter 'id' of '/:id'"),
    ("/:id", {"id": None}, "missing parameter 'id'"),
    ("/:a/:b", {}, "missing parameters 'a', 'b' of '/:a/:b'"),
    (["/:a/:b", "/:a"], {}, "missing parameter 'a' of '/:a/:b' or '/:a'"),
    ("/:id", {"id": 1, "x": 2}, "there is no use for 'x'; it takes id"),
    ("/", {"x": 2}, "there is no use for 'x'; it takes none"),
    ("/a{/:b{/:c}}", {"c": 2}, "there is no use for 'c'; it takes b, c"),
    ("/:id", {"id": ""}, "'id' must be text that is not empty"),
    ("/:id", {"id": True}, "'id' must be text, a number"),
    ("/:id", {"id": float("nan")}, "'id' must be text, a number"),
    ("/:id", {"id": ["a"]}, "'id' must be text, a number"),
    ("/:id", {"id": "\ud800"}, "lone surrogate"),
    ("/{id:int}", {"id": "seven"}, r"does not match '/seven'"),
    ("/*path", {"path": "a/b"}, "'path' is a wildcard: expected a list of segments"),
    ("/*path", {"path": []}, "'path' is a wildcard: expected a list of segments"),
    ("/*path", {"path": ["a", "", "b"]}, "'path' must be text that is not empty"),
    ("/{path...}", {"path": ""}, "'path' must be text that is not empty"),
    (re.compile("/x"), {}, "a regular expression cannot be turned into a path"),
    (r"/a\?b", {}, r"does not match"),
    ("/%zz/:id", {"id": 1}, "does not match"),
]


@pytest.mark.parametrize(("path", "params", "words"), REFUSED, ids=map(str, range(len(REFUSED))))
def test_what_does_not_fit_is_refused_with_words(path: PathSpec, params: dict[str, Any], words: str) -> None:
    with pytest.raises(UrlError, match=re.escape(words)):
        made(path, **params)


def test_a_mount_must_match_what_is_made_of_it() -> None:
    mount = compile_path("/{id:int}", end=False)
    with pytest.raises(UrlError, match="does not match"):
        compose([mount, compile_path("/x", end=True)], {"id": "x"}, "x")
    assert compose([mount, compile_path("/x", end=True)], {"id": 1}, "x") == "/1/x"


def test_prefixes_lose_the_slash_that_the_rest_brings() -> None:
    levels = [compile_path(path, end=False) for path in ("/", "/a/", "/:b")]
    assert compose([*levels, compile_path("/", end=True)], {"b": 1}, "x") == "/a/1/"


@pytest.mark.parametrize("path", ["/a/..", "/./a", "//evil.example/x", "/a/../b"])
def test_what_a_browser_reads_as_another_address_is_refused(path: str) -> None:
    with pytest.raises(UrlError, match="another address"):
        check_url(path, "x")


@pytest.mark.parametrize("path", ["/", "/a//b", "/...", "/a.b/..c"])
def test_what_a_browser_reads_as_it_stands_is_not(path: str) -> None:
    assert check_url(path, "x") == path


QUERIES: list[tuple[Any, str]] = [
    (None, "/a"),
    ("", "/a"),
    ({}, "/a"),
    ("b=1&c", "/a?b=1&c"),
    ({"b": 1, "c d": "e&f"}, "/a?b=1&c%20d=e%26f"),
    ({"b": [1, 2]}, "/a?b=1&b=2"),
    ({"b": True, "c": False, "d": None, "e": 0}, "/a?b&e=0"),
    ({"b": False}, "/a"),
    ({"b": []}, "/a"),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=str)
def test_a_query_is_appended(query: Any, expected: str) -> None:
    assert with_query("/a", query) == expected


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1)


@given(st.sampled_from(["/:a", "/x/:a/:b", "/x{/:a}", "/{a}/y/{b}", "/:a/{b...}", "/*list", "/:a/*list"]), st.data())
def test_what_is_made_is_read_back_as_it_was(path: str, data: st.DataObject) -> None:
    (pattern,) = compile_path(path, end=True)
    params: dict[str, Any] = {key: data.draw(TEXTS) for key in pattern.keys}
    if "list" in params:
        params["list"] = data.draw(st.lists(TEXTS, min_size=1))
    if path.endswith("{b...}"):
        assume(not params["b"].endswith("/"))  # a slash at the end does not count
    match = pattern.match(made(path, **params))
    assert match is not None
    assert match.params == params

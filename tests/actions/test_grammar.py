"""Paths in Lapis's grammar: what matches, what is captured, what comes first, and what is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from asgi_express import DecodeError, PathError, UrlError
from asgi_express._compose import compose
from asgi_express._index import Index
from asgi_express._layer import Layer
from asgi_express.actions._grammar import compile_action_path

MATCHES: list[tuple[str, str, dict[str, str] | None]] = [
    # literal paths match as a whole, slash and case included
    ("/", "/", {}),
    ("/hello", "/hello", {}),
    ("/hello", "/hello/", None),
    ("/hello", "/hello/world", None),
    ("/hello", "/Hello", None),
    ("/hello/", "/hello", None),
    ("/é", "/%C3%A9", {}),
    ("/é", "/é", {}),
    # parameters
    ("/page/:page", "/page/1", {"page": "1"}),
    ("/page/:page", "/page/", None),
    ("/page/:page", "/page/a/b", None),
    ("/post/:post_id/:post_name", "/post/1/two", {"post_id": "1", "post_name": "two"}),
    ("/:thing-:hello", "/a-b", {"thing": "a", "hello": "b"}),
    ("/:thing-:hello", "/a-b-c", {"thing": "a", "hello": "b-c"}),
    ("/:a.:b", "/x.y", {"a": "x", "b": "y"}),
    ("/:", "/:", {}),
    ("/:1", "/:1", {}),
    ("/:a1_B", "/x", {"a1_B": "x"}),
    # decoded once
    ("/:name", "/foo%20bar%2Fbaz", {"name": "foo bar/baz"}),
    ("/:name", "/%2520", {"name": "%20"}),
    ("/*", "/a%20b/c", {"splat": "a b/c"}),
    # splats
    ("/browse/*", "/browse/a/b", {"splat": "a/b"}),
    ("/browse/*", "/browse/", None),
    ("/user/:name/file/*", "/user/ada/file/x/y.txt", {"name": "ada", "splat": "x/y.txt"}),
    ("/*/edit", "/a/b/edit", {"splat": "a/b"}),
    ("/*/edit", "/a/edit/b/edit", None),
    ("/*/to/*", "/a/to/b/c", {"splat": "b/c"}),
    ("/:a*", "/x/y", {"a": "x", "splat": "/y"}),
    # optional groups
    ("/browse/*(.:format)", "/browse/things.tar.gz", {"splat": "things", "format": "tar.gz"}),
    ("/browse/*(.:format)", "/browse/things", {"splat": "things"}),
    ("/:game(/:user)(*)", "/chess", {"game": "chess"}),
    ("/:game(/:user)(*)", "/chess/ada", {"game": "chess", "user": "ada"}),
    ("/:game(/:user)(*)", "/chess/ada/x/y", {"game": "chess", "user": "ada", "splat": "/x/y"}),
    ("/manifest(-:version)(.:format)", "/manifest", {}),
    ("/manifest(-:version)(.:format)", "/manifest-1", {"version": "1"}),
    ("/manifest(-:version)(.:format)", "/manifest.json", {"format": "json"}),
    ("/manifest(-:version)(.:format)", "/manifest-1.json", {"version": "1", "format": "json"}),
    ("/manifest(-:version)(.:format)", "/manifest-1.2.json", {"version": "1", "format": "2.json"}),
    ("/a(/b(/c))", "/a/b/c", {}),
    ("/a(/b(/c))", "/a/b", {}),
    ("/a(/b(/c))", "/a/c", None),
    ("/:x((-:y))", "/1-2", {"x": "1", "y": "2"}),
    ("/:x(-a)(-:y)", "/1-2", {"x": "1", "y": "2"}),
    # classes
    ("/:id[%d]", "/42", {"id": "42"}),
    ("/:id[%d]", "/4a", None),
    ("/:id[%d]", "/%34", None),
    ("/:id[%a]", "/aZ", {"id": "aZ"}),
    ("/:id[%a]", "/a1", None),
    ("/:id[%w]", "/a1", {"id": "a1"}),
    ("/:id[%w]", "/a_1", None),
    ("/:id[a-f%d]", "/ab12", {"id": "ab12"}),
    ("/:id[a-f%d]", "/gg", None),
    ("/:id[xyz-]", "/x-y", {"id": "x-y"}),
    ("/:id[^%d]", "/ab", {"id": "ab"}),
    ("/:id[^%d]", "/a1", None),
    ("/:id[^x]", "/a/b", None),
    ("/:id[.%d]", "/1.2", {"id": "1.2"}),
    ("/:id[\\%d]", "/\\1", {"id": "\\1"}),
    ("/:n[%d]:word[%a]", "/12ab", {"n": "12", "word": "ab"}),
    ("/:n[%d]*", "/12ab/c", {"n": "12", "splat": "ab/c"}),
]


@pytest.mark.parametrize(("path", "target", "expected"), MATCHES)
def test_a_path_matches_what_lapis_says(path: str, target: str, expected: dict[str, str] | None) -> None:
    match = compile_action_path(path).match(target)
    assert (match.params if match else None) == expected


PRECEDENCE = [
    # each is tried before the next
    "/test/me",
    "/test(/:game)",
    "/:a/:b",
    "/:a/:b/:c",
    "/*/x/*",
    "/x/*",
    "/:a/*",
]


def test_what_captures_less_is_tried_first() -> None:
    numbers = [compile_action_path(path).precedence for path in PRECEDENCE]
    assert numbers == [0, 1, 2, 3, 15, 20, 21]


@pytest.mark.parametrize(
    ("path", "precedence"),
    [("/(:a)", 1), ("/:a(/:b)", 1), ("/(:a/:b)", 2), ("/(:a)/:b", 2), ("/:a(/*)", 21), ("/*(.:format)", 21)],
)
def test_captures_of_optional_groups_count_if_none_of_their_kind_came_before(path: str, precedence: float) -> None:
    assert compile_action_path(path).precedence == precedence


def test_a_pattern_tells_what_tools_ask_for() -> None:
    pattern = compile_action_path("/:a(/:b)")
    assert (pattern.source, pattern.keys, pattern.literal, pattern.end) == ("/:a(/:b)", ("a", "b"), None, True)
    assert compile_action_path("/a/b").literal == "/a/b"
    assert compile_action_path("/(a)").literal is None
    assert repr(pattern) == "Pattern('/:a(/:b)')"


REFUSED = [
    ("hello", "The path of an action begins with a slash at index 0: hello"),
    ("", "The path of an action begins with a slash"),
    ("/(a", "Unterminated optional group at index 1"),
    ("/a)", r"Unexpected \) at index 2"),
    ("/()", "Empty optional group at index 2"),
    ("/:a:b", "Missing text between two captures at index 3"),
    ("/:a:b[%d]", "Missing text between two captures at index 3"),
    ("/*:b", "Missing text between two captures at index 2"),
    ("/**", "Missing text between two captures at index 2"),
    ("/:a[%d", "Unterminated character class at index 3"),
    ("/:a[]", "Empty character class at index 3"),
    ("/:a[^]", "Empty character class at index 3"),
    ("/:a[z-a]", "The range z-a runs backwards at index 3"),
    ("/" + "(a)" * 9, "Too many path combinations"),
    ("/" + "/".join(f":p{number}" for number in range(101)), "Too many parameters, 100 is the most"),
]


@pytest.mark.parametrize(("path", "words"), REFUSED)
def test_what_is_not_in_the_grammar_is_refused_with_the_place(path: str, words: str) -> None:
    with pytest.raises(PathError, match=words) as caught:
        compile_action_path(path)
    assert caught.value.path == path


def test_a_capture_that_cannot_be_decoded_is_an_error_of_the_client() -> None:
    with pytest.raises(DecodeError):
        compile_action_path("/:a").match("/%zz")


URLS: list[tuple[str, dict[str, Any], str]] = [
    ("/data/:user_id/:data_field", {"user_id": 123, "data_field": "height"}, "/data/123/height"),
    ("/browse/*(.:format)", {"splat": "a/b c"}, "/browse/a/b%20c"),
    ("/browse/*(.:format)", {"splat": "a", "format": "zip"}, "/browse/a.zip"),
    ("/:id[%d]", {"id": 7}, "/7"),
    ("/a(/b)", {}, "/a/b"),
]


@pytest.mark.parametrize(("path", "params", "expected"), URLS)
def test_urls_are_made_of_the_same_paths(path: str, params: dict[str, Any], expected: str) -> None:
    assert compose([(compile_action_path(path),)], params, "x") == expected


@pytest.mark.parametrize(("path", "params"), [("/:id[%d]", {"id": "x"}), ("/*/x", {"splat": "a/x/b"})])
def test_a_url_that_its_own_route_would_not_match_is_refused(path: str, params: dict[str, Any]) -> None:
    with pytest.raises(UrlError, match="does not match"):
        compose([(compile_action_path(path),)], params, "x")


def test_the_index_finds_what_the_linear_scan_finds() -> None:
    layers = [Layer(compile_action_path(path), end=True) for path in dict.fromkeys(path for path, _, _ in MATCHES)]
    index = Index(layers)
    for _, target, _ in MATCHES:
        matching = {number for number, layer in enumerate(layers) if layer.match(target) is not None}
        assert matching <= set(index.find(target)), target


@pytest.mark.parametrize("path", ["/*(.:a)(.:b)", "/:a-:b-:c", "/*/x/*", "/:a(-:b)(-:c)(*)", "/:a[^x](x:b)"])
def test_a_hostile_path_takes_linear_time(path: str) -> None:
    pattern = compile_action_path(path)

    def seconds(size: int) -> float:
        best = 9.0
        for _ in range(3):
            started = time.perf_counter()
            pattern.match("/" + "-" * size + "\n")
            pattern.match("/" + ".x" * (size // 2) + "/")
            best = min(best, time.perf_counter() - started)
        return best

    assert seconds(64_000) < 0.1 + 16 * seconds(8_000)

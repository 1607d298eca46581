"""Compiling and matching: `asgi_express._pattern` and `asgi_express._path_regex`."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import FrozenInstanceError
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asgi_express._pattern import Match, Pattern, compile_path, decode
from asgi_express._tokens import Param, Text
from asgi_express.errors import DecodeError, PathError
from asgi_express.types import PathSpec
from tests.cases.patterns import (
    ERRORS,
    EXPRESS,
    HOSTILE_PATTERNS,
    HOSTILE_UNITS,
    OWN_ERRORS,
    RANDOM,
    SUPERSET,
    Row,
)

OPTIONS: dict[str, dict[str, bool]] = {
    "": {"end": True},
    "strict": {"end": True, "strict": True},
    "case": {"end": True, "case_sensitive": True},
    "use": {"end": False},
}


def compile_one(path: PathSpec, options: str = "") -> Pattern:
    (pattern,) = compile_path(path, **OPTIONS[options])
    return pattern


def params(path: PathSpec, request: str, options: str = "") -> dict[str, Any] | None:
    match = compile_one(path, options).match(request)
    return None if match is None else match.params


@pytest.mark.parametrize("row", [*EXPRESS, *RANDOM, *SUPERSET], ids=ascii)
def test_a_path_matches_as_the_table_says(row: Row) -> None:
    path, options, request, expected = row
    pattern = compile_one(path, options)
    if isinstance(expected, str):
        with pytest.raises(DecodeError) as caught:
            pattern.match(request)
        assert str(caught.value) == f"Failed to decode param '{expected}'"
        assert caught.value.status == 400
        return
    match = pattern.match(request)
    assert (match and (match.text, match.params)) == expected
    if match is not None:
        assert match.pattern is pattern
        assert set(match.params) <= set(pattern.keys)
        assert [type(value) for value in match.params.values()] == [
            type(expected[1][name]) for name in match.params if expected
        ]


@pytest.mark.parametrize(("path", "message"), [*ERRORS, *OWN_ERRORS], ids=lambda value: ascii(value)[:60])
def test_a_path_that_cannot_be_compiled_is_an_error_with_a_remedy(path: str, message: str) -> None:
    for options in OPTIONS:
        if path.endswith("/") and options == "strict":
            continue
        with pytest.raises(PathError) as caught:
            compile_one(path, options)
        text = str(caught.value)
        assert text.startswith(message)
        assert "; " in text
        assert caught.value.path is not None


class TestPatterns:
    def test_what_a_pattern_tells_about_itself(self) -> None:
        (pattern,) = compile_path("/User/:id{/:x}/", end=True)
        assert pattern.source == "/User/:id{/:x}/"
        assert pattern.keys == ("id", "x")
        assert pattern.literal is None
        assert pattern.head == "/user/"
        assert pattern.alternatives[1] == (Text("/User/"), Param("id"))
        assert (pattern.end, pattern.strict, pattern.case_sensitive) == (True, False, False)
        assert repr(pattern) == "Pattern('/User/:id{/:x}/')"

    @pytest.mark.parametrize(
        ("path", "options", "literal", "head"),
        [
            ("/A/b/", "", "/A/b", "/a/b"),
            ("/A/b/", "case", "/A/b", "/A/b"),
            ("/A/b/", "strict", "/A/b/", "/a/b/"),
            ("/A", "use", "/A", "/a"),
            ("/", "", "/", "/"),
            ("/", "use", "/", ""),
            ("", "use", "", ""),
            (r"/a\:b", "", "/a:b", "/a:b"),
            ("/Aé", "", "/Aé", "/a"),
            ("/a{b}", "", None, "/a"),
            ("/ab{c}:d{e}", "use", None, "/ab"),
            (":a", "", None, ""),
            ("{/a}", "", None, ""),
        ],
    )
    def test_the_literal_and_the_head(self, path: str, options: str, literal: str | None, head: str) -> None:
        pattern = compile_one(path, options)
        assert pattern.literal == literal
        assert pattern.head == head

    @pytest.mark.parametrize("path", ["/", "/a", "/:a", re.compile("/a")])
    def test_a_pattern_is_immutable(self, path: PathSpec) -> None:
        for pattern in (compile_one(path), compile_one(path, "use")):
            with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
                setattr(pattern, "literal", "/b")  # noqa: B010 - the checkers know it is read-only
            assert not hasattr(pattern, "__dict__")

    def test_every_match_has_a_dictionary_of_its_own(self) -> None:
        for path in ("/a", "/:x"):
            pattern = compile_one(path)
            first, second = pattern.match("/a"), pattern.match("/a")
            assert isinstance(first, Match)
            assert isinstance(second, Match)
            assert first.params == second.params
            assert first.params is not second.params

    def test_middleware_is_never_strict(self) -> None:
        (pattern,) = compile_path("/a/", end=False, strict=True)
        match = pattern.match("/a/")
        assert match is not None
        assert match.text == "/a/"
        assert pattern.strict is False

    @given(st.sampled_from([*EXPRESS, *RANDOM, *SUPERSET]))
    def test_a_matching_path_starts_with_the_head(self, row: Row) -> None:
        path, options, request, expected = row
        pattern = compile_one(path, options)
        if isinstance(expected, tuple):
            folded = request if options == "case" else request.lower()
            assert folded.startswith(pattern.head)


class TestLists:
    def test_a_nested_list_gives_one_pattern_per_path(self) -> None:
        regex = re.compile("/r")
        patterns = compile_path(["/a", ("/b", [regex, ["/:c"]]), []], end=True)
        assert [pattern.source for pattern in patterns] == ["/a", "/b", regex, "/:c"]

    def test_an_empty_list_matches_nothing(self) -> None:
        assert compile_path([], end=True) == ()

    def test_a_slash_in_a_list_of_middleware_paths_is_a_path_like_others(self) -> None:
        assert params(["/"], "/x", "use") is None
        assert params(["/"], "/", "use") == {}
        assert params("/", "/x", "use") == {}

    @pytest.mark.parametrize("path", [None, 1, b"/a", bytearray(b"/a"), {"/a"}, ["/a", None], object()])
    def test_what_is_not_a_path_is_a_type_error(self, path: Any) -> None:
        with pytest.raises(TypeError, match="a path is text, a compiled regular expression, or a list of those"):
            compile_path(path, end=True)


class TestRegularExpressions:
    def test_groups_are_named_or_counted_over_the_unnamed_ones(self) -> None:
        regex = re.compile(r"^/(\w+)/(?P<name>\w+)/(?:x)(\w+)(/y)?$")
        assert compile_one(regex).keys == ("0", "name", "1", "2")
        assert params(regex, "/a/b/xc") == {"0": "a", "name": "b", "1": "c"}
        assert params(regex, "/a/b/xc/y") == {"0": "a", "name": "b", "1": "c", "2": "/y"}

    def test_it_is_searched_and_the_text_is_what_matched(self) -> None:
        match = compile_one(re.compile("/api/")).match("/test/api/x")
        assert match is not None
        assert match.text == "/api/"
        assert compile_one(re.compile("/api/"), "use").match("/API/") is None

    def test_its_own_flags_count_and_the_options_do_not(self) -> None:
        assert params(re.compile("^/a$", re.IGNORECASE), "/A", "case") == {}
        assert params(re.compile("^/a$"), "/A") is None

    def test_its_captures_are_decoded_once(self) -> None:
        assert params(re.compile("/(.*)"), "/%2541+") == {"0": "%41+"}
        with pytest.raises(DecodeError, match="Failed to decode param '%zz'"):
            params(re.compile("/(.*)"), "/%zz")

    def test_an_empty_capture_is_kept(self) -> None:
        assert params(re.compile("/(.*)$"), "/") == {"0": ""}

    def test_bytes_are_a_type_error(self) -> None:
        regex: Any = re.compile(b"/a")
        with pytest.raises(TypeError, match="from str, not from bytes"):
            compile_path(regex, end=True)


class TestDecoding:
    @given(st.text())
    def test_what_was_quoted_is_decoded(self, text: str) -> None:
        assume(not any("\ud800" <= char <= "\udfff" for char in text))
        assert decode(quote(text, safe="")) == text

    @given(st.text(alphabet="%0aAfFgcC3é9 +", max_size=12))
    def test_text_that_is_decoded_had_no_malformed_escape(self, text: str) -> None:
        try:
            decoded = decode(text)
        except DecodeError:
            assume(False)
        else:
            assert not re.search("%(?![0-9a-fA-F]{2})", text)
            assert ("%" in text) or decoded == text

    @pytest.mark.parametrize(
        "raw", ["%", "%4", "%zz", "%C3", "%C0%AF", "%ED%A0%80", "%C3é", "%ff", "%00%", "\ud800%41"]
    )
    def test_what_is_not_escaped_utf8_is_refused(self, raw: str) -> None:
        with pytest.raises(DecodeError) as caught:
            decode(raw)
        assert caught.value.raw == raw

    def test_only_the_segment_at_fault_is_named(self) -> None:
        with pytest.raises(DecodeError, match="Failed to decode param '%zz'"):
            params("/*w", "/a/%zz/b")


def cpu_time(pattern: Pattern, path: str) -> float:
    """Return the seconds of processor time of one match: the best of three if it is not short."""
    best = 60.0
    for _ in range(3):
        start = time.thread_time()
        with suppress(DecodeError):
            pattern.match(path)
        best = min(best, time.thread_time() - start)
        if best < 0.005:
            break
    return best


def hostile_path(unit: str, size: int, ending: str) -> str:
    return "/" + unit * (size // len(unit)) + ending


class TestTime:
    """Bounds with a wide margin: what is quadratic takes seconds at these sizes."""

    @pytest.mark.parametrize("path", HOSTILE_PATTERNS)
    @pytest.mark.parametrize("options", ["", "use"])
    def test_a_hostile_path_of_64_kilobytes_takes_no_time_to_speak_of(self, path: str, options: str) -> None:
        pattern = compile_one(path, options)
        for unit in HOSTILE_UNITS:
            for ending in ("", "\n", "//"):
                assert cpu_time(pattern, hostile_path(unit, 64_000, ending)) < 0.2

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                ["/", "-", "--", "a", ".", "-x/", "/b/", ":a", ":b", "*c", "*d", "{-:e}", "{/*f}", "{x:int}"]
            ),
            min_size=1,
            max_size=12,
        ),
        st.sampled_from(["", "use", "case"]),
        st.text(alphabet="/-.ax1b", min_size=1, max_size=8),
        st.sampled_from(["", "//", "-", "~"]),
    )
    def test_no_pattern_is_slow_on_any_repeated_text(
        self, pieces: list[str], options: str, unit: str, ending: str
    ) -> None:
        try:
            pattern = compile_one("/" + "".join(pieces), options)
        except PathError:
            assume(False)
        else:
            short, long = (cpu_time(pattern, hostile_path(unit, size, ending)) for size in (8_000, 32_000))
            assert long < 0.2
            assert long < 8 * short + 0.01

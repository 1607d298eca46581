"""Entity tags, HTTP dates and freshness, against etag, fresh and JavaScript's Date."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express._freshness import (
    _full_year,
    format_http_date,
    is_fresh,
    parse_http_date,
    stat_etag,
    strong_etag,
    weak_etag,
)
from tests.cases import HOSTILE, assert_linear, rows


@pytest.mark.parametrize(("args", "want"), rows("freshness", "is_fresh"))
def test_a_copy_is_fresh_when_fresh_says_so(args: list[str | None], want: bool) -> None:
    names = ("if_none_match", "if_modified_since", "cache_control", "etag", "last_modified")
    assert is_fresh(**dict(zip(names, args, strict=True))) is want


def test_without_a_tag_only_the_star_matches() -> None:
    for none_match, fresh in (('"a"', False), ("*", True)):
        assert fresh is is_fresh(
            if_none_match=none_match, if_modified_since=None, cache_control=None, etag=None, last_modified=None
        )


def test_without_a_condition_nothing_is_fresh() -> None:
    for absent in (None, ""):
        assert not is_fresh(
            if_none_match=absent, if_modified_since=absent, cache_control=None, etag='"a"', last_modified=None
        )


def test_a_reload_is_never_fresh() -> None:
    for cache_control in ("no-cache", "max-age=0,\tno-cache"):
        assert not is_fresh(
            if_none_match="*", if_modified_since=None, cache_control=cache_control, etag=None, last_modified=None
        )


@pytest.mark.parametrize(("args", "want"), rows("freshness", "etag"))
def test_an_entity_tag_is_that_of_the_package(args: tuple[str, bool], want: str) -> None:
    body, weak = args
    assert (weak_etag if weak else strong_etag)(body.encode("latin-1")).decode() == want


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("", '"0-2jmj7l5rSw0yVb/vlWAYkK/YBwk"'),
        ("express!", '"8-O2uVAFaQ1rZvlKLT14RnuvjPIdg"'),
        ("express❤", '"a-JBiXf7GyzxwcrxY4hVXUwa7tmks"'),
        ("-" * 999, '"3e7-qPnkJ3CVdVhFJQvUBfF10TmVA7g"'),
        ("hello, world!", '"d-HwnTDHB9U/PRbFMN1z1wps51lqk"'),
    ],
)
def test_an_entity_tag_is_weak_unless_it_is_asked_to_be_strong(text: str, tag: str) -> None:
    assert weak_etag(text.encode()).decode() == f"W/{tag}"
    assert strong_etag(text.encode()).decode() == tag


@pytest.mark.parametrize(
    ("mtime_ns", "milliseconds"),
    [
        (1_700_000_000_000_900_000, 1_700_000_000_001),
        (1_700_000_000_123_456_700, 1_700_000_000_123),
        (1_700_000_000_999_600_000, 1_700_000_001_000),
        (0, 0),
    ],
)
def test_the_entity_tag_of_a_file_is_its_size_and_the_rounded_millisecond(mtime_ns: int, milliseconds: int) -> None:
    assert stat_etag(255, mtime_ns) == f'W/"ff-{milliseconds:x}"'


@pytest.mark.parametrize(("args", "want"), rows("freshness", "format_http_date"))
def test_a_second_is_written_as_javascript_writes_it(args: list[int], want: str) -> None:
    assert format_http_date(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("freshness", "parse_http_date"))
def test_an_http_date_is_read_as_javascript_reads_it(args: list[str], want: int | None) -> None:
    assert parse_http_date(*args) == want


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_the_three_formats_of_rfc_9110_are_dates(text: str) -> None:
    assert parse_http_date(text) == 784111777


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0",
        "1994-11-06T08:49:37Z",
        "06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun Nov 06 08:49:37 94",
    ],
)
def test_anything_else_is_no_date(text: str | None) -> None:
    assert parse_http_date(text) is None


def test_a_leap_second_is_a_second() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_http_date("Sun, 01 Jan 2017 00:00:00 GMT")


@pytest.mark.parametrize(("short", "full"), [(26, 2026), (76, 2076), (77, 1977), (94, 1994), (0, 2000)])
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(short: int, full: int) -> None:
    assert _full_year(short, 2026) == full


@given(st.integers(-62135596800, 253402300799))
def test_what_is_written_is_read_back(second: int) -> None:
    assert parse_http_date(format_http_date(second)) == second


def test_a_fraction_belongs_to_the_second_that_has_begun() -> None:
    assert format_http_date(0.999) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert format_http_date(-0.001) == "Wed, 31 Dec 1969 23:59:59 GMT"
    assert format_http_date(253402300799.5) == "Fri, 31 Dec 9999 23:59:59 GMT"


@pytest.mark.parametrize("timestamp", [float("nan"), float("inf"), float("-inf"), 253402300800, -62135596801, 1e300])
def test_a_moment_without_a_date_is_a_value_error(timestamp: float) -> None:
    with pytest.raises(ValueError, match="no HTTP date"):
        format_http_date(timestamp)


@pytest.mark.parametrize(
    "text",
    ["," * HOSTILE, " " * HOSTILE, ', "a"' * (HOSTILE // 5), "Sun, " * (HOSTILE // 5), "no-cache" * (HOSTILE // 8)],
)
def test_hostile_conditions_take_linear_time(text: str) -> None:
    def ask() -> None:
        for none_match in (None, text):
            fresh = is_fresh(
                if_none_match=none_match, if_modified_since=text, cache_control=text, etag='"b"', last_modified=text
            )
            assert not fresh

    assert_linear(ask)

"""The Range header, against range-parser."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express._ranges import MALFORMED, MAX_RANGES, UNSATISFIABLE, ByteRange, Ranges, parse_range
from tests.cases import HOSTILE, assert_linear, rows


@pytest.mark.parametrize(("args", "want"), rows("ranges", "parse_range"))
def test_ranges_are_what_range_parser_reads(args: tuple[int, str, bool], want: Any) -> None:
    size, header, combine = args
    ranges = parse_range(size, header, combine=combine)
    assert (ranges if isinstance(ranges, int) else [ranges.type, [list(item) for item in ranges]]) == want


def test_ranges_have_a_unit_and_items_with_start_and_end() -> None:
    ranges = parse_range(1000, "bytes=40-80, -10")
    assert isinstance(ranges, Ranges)
    assert ranges.type == "bytes"
    assert [(item.start, item.end) for item in ranges] == [(40, 80), (990, 999)]


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        ("bytes=0-4,90-99,5-75,100-199,101-102", [(0, 75), (90, 199)]),
        ("bytes=-1,20-100,0-1,101-120", [(199, 199), (20, 120), (0, 1)]),
        ("bytes=10-20,30-40", [(10, 20), (30, 40)]),
        ("bytes=10-40,20-30", [(10, 40)]),
    ],
)
def test_ranges_that_overlap_or_touch_are_combined_in_the_order_of_the_header(
    header: str, ranges: list[tuple[int, int]]
) -> None:
    assert parse_range(200, header, combine=True) == [ByteRange(*item) for item in ranges]


@pytest.mark.parametrize("header", ["bytes=٣-", "bytes=1_0-", "bytes=+1-", "bytes=0x1-", "bytes=1e1-", "bytes=²-"])
def test_a_position_is_ascii_digits_only(header: str) -> None:
    assert parse_range(1000, header) == MALFORMED


def test_a_position_of_any_length_is_compared_as_a_number() -> None:
    digits = "9" * HOSTILE
    assert parse_range(1000, f"bytes={digits}-") == UNSATISFIABLE
    assert parse_range(1000, f"bytes=-{digits}") == UNSATISFIABLE
    assert parse_range(1000, f"bytes=5-{digits}") == [ByteRange(5, 999)]
    assert parse_range(1000, f"bytes={'0' * HOSTILE}-{'0' * HOSTILE}7") == [ByteRange(0, 7)]


def test_more_ranges_than_the_limit_are_ignored_as_a_whole() -> None:
    assert parse_range(10, "bytes=" + ",".join(["0-1"] * MAX_RANGES)) == [ByteRange(0, 1)] * MAX_RANGES
    assert parse_range(10, "bytes=" + ",".join(["0-1"] * (MAX_RANGES + 1))) == MALFORMED


@given(st.integers(0, 300), st.text(alphabet="0123456789-, =x", max_size=40), st.booleans())
def test_every_range_lies_inside_the_resource(size: int, specs: str, combine: bool) -> None:
    ranges = parse_range(size, f"bytes={specs}", combine=combine)
    if isinstance(ranges, int):
        assert ranges in (MALFORMED, UNSATISFIABLE)
    else:
        assert ranges
        assert all(0 <= item.start <= item.end < size for item in ranges)


@pytest.mark.parametrize("text", ["," * HOSTILE, "0-1," * (HOSTILE // 4), "-" * HOSTILE, " " * HOSTILE, "=" * HOSTILE])
def test_a_hostile_header_takes_linear_time(text: str) -> None:
    assert_linear(lambda: parse_range(1000, f"bytes={text}", combine=True))

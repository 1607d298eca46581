"""Durations and sizes: the words of ms and bytes, and what is an error here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from asgi_express._units import parse_bytes, parse_duration
from tests.cases import HOSTILE, assert_linear, rows


@pytest.mark.parametrize(("args", "want"), rows("units", "parse_duration"))
def test_a_duration_with_a_unit_is_what_ms_says(args: list[str], want: float) -> None:
    assert parse_duration(*args) == pytest.approx(want)


@pytest.mark.parametrize(("args", "want"), rows("units", "parse_bytes"))
def test_a_size_is_what_bytes_says(args: list[str], want: int) -> None:
    assert parse_bytes(*args) == want


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (1.5, 1.5),
        (-3, -3.0),
        ("20", 20.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("15m", 900.0),
        ("15 Minutes", 900.0),
        ("2 days", 172800.0),
        ("500ms", 0.5),
        ("-1h", -3600.0),
        ("1y", 31557600.0),
        (timedelta(minutes=2, milliseconds=500), 120.5),
    ],
)
def test_a_duration_is_in_seconds(value: Any, seconds: float) -> None:
    result = parse_duration(value)
    assert result == seconds
    assert isinstance(result, float)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "m",
        "1 x",
        "1zs",
        "1.s",
        "1..5s",
        "--1s",
        "+1s",
        "1h30m",
        "1_000",
        "٣s",
        "1s\n",
        " 1s",
        "1" * 101,
        "1e3",
    ],
)
def test_a_text_that_is_no_duration_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**400])
def test_a_duration_that_is_not_finite_is_a_value_error(value: float) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        parse_duration(value)


@pytest.mark.parametrize("value", [None, True, False, b"1s", [], {}])
def test_what_is_no_duration_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="a duration is"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (0, 0),
        (512, 512),
        ("512", 512),
        ("1.9", 1),
        ("100b", 100),
        ("100kb", 102400),
        ("1.5 MB", 1572864),
        ("+2gb", 2 << 30),
    ],
)
def test_a_size_is_in_bytes(value: int | str, size: int) -> None:
    assert parse_bytes(value) == size


@pytest.mark.parametrize(
    "text", ["", "kb", "1k", "1kib", "1zb", "-1kb", "1 mbit", "0x10", "1,5mb", "NaN", "Infinity", "٣kb", "9" * 101]
)
def test_a_text_that_is_no_size_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="invalid size"):
        parse_bytes(text)


def test_a_negative_size_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        parse_bytes(-1)


@pytest.mark.parametrize("value", [None, True, 1.5, float("inf"), b"1kb", []])
def test_what_is_no_size_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="a size is"):
        parse_bytes(value)


@pytest.mark.parametrize("text", ["1" * HOSTILE, " " * HOSTILE, "1" + " " * HOSTILE, "1." * (HOSTILE // 2)])
def test_hostile_text_is_refused_at_once_and_not_repeated_whole(text: str) -> None:
    def refuse() -> None:
        for parse in (parse_duration, parse_bytes):
            with pytest.raises(ValueError, match="invalid") as caught:
                parse(text)
            assert len(str(caught.value)) < 250

    assert_linear(refuse)

"""Content negotiation, against negotiator, accepts and type-is."""

from __future__ import annotations

import pytest

from asgi_express._negotiation import (
    MAX_ITEMS,
    accepts,
    accepts_charsets,
    accepts_encodings,
    accepts_languages,
    charsets,
    encodings,
    languages,
    media_types,
    normalize_type,
    type_is,
)
from tests.cases import HOSTILE, assert_linear, rows


@pytest.mark.parametrize(("args", "want"), rows("negotiation", "media_types"))
def test_media_types_are_ordered_as_negotiator_orders_them(
    args: tuple[str | None, list[str] | None], want: list[str]
) -> None:
    assert media_types(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("negotiation", "encodings"))
def test_encodings_are_ordered_as_negotiator_orders_them(
    args: tuple[str | None, list[str] | None, list[str]], want: list[str]
) -> None:
    header, offered, preferred = args
    assert encodings(header, offered, preferred=preferred) == want


@pytest.mark.parametrize(("args", "want"), rows("negotiation", "charsets"))
def test_charsets_are_ordered_as_negotiator_orders_them(
    args: tuple[str | None, list[str] | None], want: list[str]
) -> None:
    assert charsets(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("negotiation", "languages"))
def test_languages_are_ordered_as_negotiator_orders_them(
    args: tuple[str | None, list[str] | None], want: list[str]
) -> None:
    assert languages(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("negotiation", "accepts"))
def test_the_best_offer_is_the_one_that_accepts_takes(args: tuple[str | None, list[str]], want: str | None) -> None:
    assert accepts(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("negotiation", "type_is"))
def test_a_content_type_is_what_type_is_says(args: tuple[str, list[str]], want: str | None) -> None:
    assert type_is(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("negotiation", "normalize_type"))
def test_a_short_pattern_stands_for_what_type_is_says(args: list[str], want: str | None) -> None:
    assert normalize_type(*args) == want


@pytest.mark.parametrize(
    ("header", "offered", "best"),
    [
        (None, ["json", "html"], "json"),
        ("", ["json", "html"], "json"),
        (None, ["unheard-of"], "unheard-of"),
        ("*/*", ["json", "html"], "json"),
        ("*/*", ["unheard-of", "html"], "html"),
        ("text/html, application/json", ["json", "html"], "html"),
        ("text/html;q=0.5, application/json", ["html", "json"], "json"),
        ("text/*, application/json", ["html", "json"], "json"),
        ("text/*;q=0.8, text/html;q=0", ["html"], None),
        ("image/*", ["html"], None),
        ("text/html;level=1", ["html"], None),
        ("text/html;level=1", ["text/html;level=1"], "text/html;level=1"),
        ("application/json;q=nan", ["json"], None),
        ("application/json;q=2, text/html", ["html", "json"], "json"),
        ("*/*", [], None),
    ],
)
def test_the_order_of_the_client_decides_between_equals(
    header: str | None, offered: list[str], best: str | None
) -> None:
    assert accepts(header, offered) == best


def test_the_other_kinds_have_a_best_offer_too() -> None:
    assert accepts_charsets("utf-8, latin1;q=0.5", ["latin1", "UTF-8"]) == "UTF-8"
    assert accepts_encodings("gzip, br", ["br", "gzip"]) == "gzip"
    assert accepts_encodings(None, ["gzip", "identity"]) == "identity"
    assert accepts_encodings("identity;q=0", ["identity"]) is None
    assert accepts_encodings("*;q=0", ["identity", "gzip"]) is None
    assert accepts_encodings("x-gzipped", ["gzip"]) is None
    assert accepts_languages("en-GB", ["fr", "en"]) == "en"
    assert accepts_languages("en-GB", ["en-US"]) is None
    assert accepts_languages(None, ["fr"]) == "fr"


def test_items_beyond_the_limit_are_ignored() -> None:
    header = ",".join([*(f"a/{number}" for number in range(MAX_ITEMS)), "text/html"])
    assert accepts(header, ["html"]) is None
    assert accepts(header + ';a="b"', ["html"]) is None
    assert accepts(header, [f"a/{MAX_ITEMS - 1}"]) == f"a/{MAX_ITEMS - 1}"


@pytest.mark.parametrize("quality", ["-Infinity", "-1", "0", "nan", "x", "0.0", "٣"])
def test_a_quality_that_is_not_above_zero_excludes(quality: str) -> None:
    assert accepts(f"text/html;q={quality}", ["html"]) is None


@pytest.mark.parametrize("quality", ["Infinity", "1e309", "0.001", "1" * 400, '"0.5"', " .5 "])
def test_a_quality_above_zero_accepts(quality: str) -> None:
    assert accepts(f"text/html;q={quality}", ["html"]) == "html"


def test_an_item_that_is_no_quality_gives_way_to_a_later_one_that_fits_as_well() -> None:
    assert media_types("text/html;q=x, text/html;q=0.5", ["text/html"]) == ["text/html"]
    assert media_types("text/html;q=0.5, text/html;q=x", ["text/html"]) == []


def test_quotes_protect_commas_semicolons_and_quotes() -> None:
    header = 'text/html;a="x,y;\\"z"; q=0.5, text/plain'
    assert media_types(header) == ["text/plain", "text/html"]
    assert media_types(header, ['text/html;a="x,y;\\"z"', "text/html"]) == ['text/html;a="x,y;\\"z"']


def test_a_type_without_a_media_type_is_nothing() -> None:
    assert type_is(None, ["json"]) is None
    assert type_is("", []) is None
    assert type_is("json", ["json"]) is None
    assert type_is("text/html, text/plain", ["html"]) is None


def test_a_type_without_patterns_is_the_type_itself() -> None:
    assert type_is("Text/HTML; charset=utf-8") == "text/html"


@pytest.mark.parametrize(
    "header",
    [
        "," * HOSTILE,
        ";" * HOSTILE,
        '"' * HOSTILE,
        ' ="' * (HOSTILE // 3),
        'a/b;c="' + "\\" * HOSTILE,
        'a/b;c="d";' * (HOSTILE // 10),
        "a/b;" + "c=*;" * (HOSTILE // 4),
        " " * HOSTILE,
        '"' + " " * HOSTILE,
        "a/b;q=0." + "0" * HOSTILE + "1",
        "a-" * (HOSTILE // 2),
        "/" * HOSTILE,
        "en," * (HOSTILE // 3),
        ";q=" + " " * HOSTILE,
    ],
    ids=lambda header: f"{header[:12]!r}...",
)
def test_a_hostile_header_takes_linear_time(header: str) -> None:
    offers = ["text/html", "en-US", "gzip", "a/b"]

    def negotiate() -> None:
        for function in (media_types, encodings, charsets, languages):
            function(header, offers)
        type_is(header, ["json", "*/*", "+json"])

    assert_linear(negotiate)

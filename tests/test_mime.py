"""Types and extensions, against mime-types."""

from __future__ import annotations

import subprocess
import sys

import pytest

from asgi_express._mime import charset_for, content_type, extension, lookup, with_charset
from tests.cases import HOSTILE, assert_linear, rows
from tools.make_mime_types import render


@pytest.mark.parametrize(("args", "want"), rows("mime", "lookup"))
def test_a_name_has_the_type_that_mime_types_says(args: list[str], want: str | None) -> None:
    assert lookup(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("mime", "charset_for"))
def test_a_type_has_the_charset_that_mime_types_says(args: list[str], want: str | None) -> None:
    assert charset_for(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("mime", "content_type"))
def test_a_content_type_is_that_of_mime_types(args: list[str], want: str | None) -> None:
    assert content_type(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("mime", "extension"))
def test_a_type_has_the_extension_that_mime_types_says(args: list[str], want: str | None) -> None:
    assert extension(*args) == want


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("js", "text/javascript"),
        ("mjs", "text/javascript"),
        ("ico", "image/vnd.microsoft.icon"),
        ("rtf", "application/rtf"),
        ("xml", "application/xml"),
        ("sql", "application/sql"),
        ("mp4", "video/mp4"),
        ("ts", "video/mp2t"),
        ("exe", "application/x-msdos-program"),
        ("cjs", "application/node"),
        ("wasm", "application/wasm"),
        ("woff2", "font/woff2"),
        (".HTML", "text/html"),
        ("file.tar.gz", "application/gzip"),
        ("dir.d/file.json", "application/json"),
        ("a/.json", None),
        ("json/", "application/json"),
        ("json.", None),
        ("..", None),
        ("a/..", None),
        ("", None),
        ("unheard-of", None),
    ],
)
def test_of_several_types_for_an_extension_the_highest_score_wins(name: str, media_type: str | None) -> None:
    assert lookup(name) == media_type


@pytest.mark.parametrize(
    ("media_type", "full"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("TEXT/X-Unknown", "TEXT/X-Unknown; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
        ("application/manifest+json", "application/manifest+json; charset=utf-8"),
        ("text/html; a=b", "text/html; a=b; charset=utf-8"),
        ("text/html; charset=latin1", "text/html; charset=latin1"),
        ("application/xml", "application/xml"),
        ("image/svg+xml", "image/svg+xml"),
        ("application/ld+json", "application/ld+json"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("", ""),
    ],
)
def test_a_charset_is_added_where_the_type_has_one_and_names_none(media_type: str, full: str) -> None:
    assert with_charset(media_type) == full


def test_the_table_is_not_read_by_an_import() -> None:
    code = "import sys, asgi_express._mime; sys.exit('asgi_express._mime_types' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("text", ["." * HOSTILE, "/" * HOSTILE, " " * HOSTILE, "a/" * (HOSTILE // 2), ";" * HOSTILE])
def test_a_hostile_name_takes_linear_time(text: str) -> None:
    lookup("json")  # the table is read once

    assert_linear(lambda: (lookup(text), content_type(text), extension(text)))


def test_the_table_is_written_from_the_database_with_its_conflicts_resolved() -> None:
    source = render(
        {
            "application/x-old": {"source": "apache", "extensions": ["a", "b"]},
            "application/octet-stream": {"source": "iana", "extensions": ["a", "c"]},
            "text/new": {"source": "iana", "charset": "UTF-8", "extensions": ["b"]},
            "text/none": {"source": "iana"},
        },
        "1.2.3",
    )
    namespace: dict[str, dict[str, str]] = {}
    exec(compile(source, "_mime_types.py", "exec"), namespace)
    assert "mime-db 1.2.3, MIT" in source
    assert namespace["TYPES"] == {
        "application": "\nx-old a -b; octet-stream -a c\n",
        "text": "\nnew =UTF-8 b\n",
    }

"""URLs, HTML text and file names, against encodeurl, escape-html and content-disposition."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express._urls import content_disposition, encode_url, escape_html, safe_redirect_target
from tests.cases import HOSTILE, assert_linear, rows


@pytest.mark.parametrize(("args", "want"), rows("urls", "encode_url"))
def test_a_url_is_encoded_as_encodeurl_does_it(args: list[str], want: str) -> None:
    assert encode_url(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("urls", "escape_html"))
def test_html_is_escaped_as_escape_html_does_it(args: list[str], want: str) -> None:
    assert escape_html(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("urls", "content_disposition"))
def test_a_file_name_is_written_as_content_disposition_writes_it(
    args: tuple[str, str], want: str | dict[str, str]
) -> None:
    if isinstance(want, dict):
        with pytest.raises(ValueError, match="invalid type"):
            content_disposition(*args)
    else:
        assert content_disposition(*args) == want


@pytest.mark.parametrize(
    ("url", "encoded"),
    [
        ("", ""),
        ("/a?b=c#d", "/a?b=c#d"),
        ("/é ü", "/%C3%A9%20%C3%BC"),
        ("/%20%zz%", "/%20%25zz%25"),
        ("/%%41", "/%25%41"),
        ("http://google.com\\@apple.com", "http://google.com\\@apple.com"),
        ("/^|[]'{}\"<>`", "/^|[]'%7B%7D%22%3C%3E%60"),
        ("/\r\nX: 1\x00\x7f", "/%0D%0AX:%201%00%7F"),
        ("/\ud800x\udc00", "/%EF%BF%BDx%EF%BF%BD"),
        ("/\ud83d\ude00", "/%F0%9F%98%80"),
        ("/😀", "/%F0%9F%98%80"),
    ],
)
def test_what_may_not_stand_in_a_url_is_encoded_once(url: str, encoded: str) -> None:
    assert encode_url(url) == encoded
    assert encode_url(encoded) == encoded


@given(st.text())
def test_an_encoded_url_is_printable_ascii_without_quotes_and_angles(url: str) -> None:
    assert re.fullmatch(r"[!#-;=?-_a-z|~]*", encode_url(url))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<a href='x'>\"&amp;\"</a>", "&lt;a href=&#39;x&#39;&gt;&quot;&amp;amp;&quot;&lt;/a&gt;"),
    ],
)
def test_the_five_special_characters_are_escaped(text: str, escaped: str) -> None:
    assert escape_html(text) == escaped


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        (None, "attachment"),
        ("", 'attachment; filename=""'),
        ("user.html", "attachment; filename=user.html"),
        ("my plans.pdf", 'attachment; filename="my plans.pdf"'),
        ('a"b\\c', 'attachment; filename="a\\"b\\\\c"'),
        ("€ rates.pdf", "attachment; filename=\"? rates.pdf\"; filename*=UTF-8''%E2%82%AC%20rates.pdf"),
        ("é'(*)!.txt", "attachment; filename=\"?'(*)!.txt\"; filename*=UTF-8''%C3%A9%27%28%2A%29!.txt"),
        ("the%20plans.pdf", "attachment; filename=the%20plans.pdf; filename*=UTF-8''the%2520plans.pdf"),
        ("100%.txt", "attachment; filename=100%.txt"),
        ("a\r\nb", "attachment; filename=\"a??b\"; filename*=UTF-8''a%0D%0Ab"),
        ("😀", "attachment; filename=\"??\"; filename*=UTF-8''%F0%9F%98%80"),
        ("\udcff.txt", "attachment; filename=\"?.txt\"; filename*=UTF-8''%EF%BF%BD.txt"),
    ],
)
def test_a_file_name_stands_bare_quoted_or_twice(filename: str | None, header: str) -> None:
    assert content_disposition(filename) == header


def test_the_disposition_is_any_token() -> None:
    assert content_disposition("a.txt", "inline") == "inline; filename=a.txt"
    for wrong in ("", "a b", "a;b", "a\r\nb"):
        with pytest.raises(ValueError, match="invalid type"):
            content_disposition("a.txt", wrong)


@pytest.mark.parametrize(
    "url", ["/", "/a/b?c=d#e", "a", "./a", "../a", "?a", "#a", "/a:b", "/a?u=http://x", "/a//b", "a/b:c", "?a:b"]
)
def test_a_target_on_this_site_is_safe(url: str) -> None:
    assert safe_redirect_target(url)
    assert safe_redirect_target(url, allowed_hosts=["ok.example"])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        " /a",
        "/a b",
        "/a\x00",
        "/a\x7f",
        "\x85//evil.example",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "mailto:a@b",
        "a:b",
        ":80",
        "http:ok.example",
        "http:/ok.example",
        "http:///ok.example",
        "https://",
        "ftp://ok.example",
        "https://evil.example",
        "https://ok.example.evil.example",
        "https://okXexample",
        "https://ok.example:444",
        "https://ok.example@evil.example",
        "https://user@ok.example",
        "https://ok.example\\@evil.example",
        "https://ok%2eexample",
    ],
)
def test_any_other_target_is_not(url: str) -> None:
    assert not safe_redirect_target(url)
    assert not safe_redirect_target(url, allowed_hosts=["ok.example"])


def test_a_host_that_is_allowed_is_safe_in_any_letter_case() -> None:
    for url in ("https://ok.example", "HTTP://OK.example/a?b", "https://ok.example?a", "https://ok.example#a"):
        assert safe_redirect_target(url, allowed_hosts={"other.example", "Ok.Example"})
        assert not safe_redirect_target(url)
    assert safe_redirect_target("https://ok.example:8443/", allowed_hosts=["ok.example:8443"])


@pytest.mark.parametrize(
    "text",
    ["%" * HOSTILE, "é" * HOSTILE, "\ud800" * HOSTILE, "/" * HOSTILE, ":" * HOSTILE, "<" * HOSTILE, "a" * HOSTILE],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    assert_linear(lambda: encode_url(text))
    assert_linear(lambda: escape_html(text))
    assert_linear(lambda: content_disposition(text))
    assert_linear(lambda: safe_redirect_target(text))

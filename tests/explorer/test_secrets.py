"""What is called a secret, or looks like one where nobody knows its name, is not shown."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express.explorer._secrets import clean_params, clean_path, clean_query

QUERIES = {
    "": "",
    "page=2&q=tea": "page=2&q=tea",
    "token=abc": "token=***",
    "x-auth-token=abc&page=2": "x-auth-token=***&page=2",
    "api_key=1&apiKey=2&API-KEY=3": "api_key=***&apiKey=***&API-KEY=***",
    "password=a&newPassword=b&passphrase=c": "password=***&newPassword=***&passphrase=***",
    "code=abc&state=def": "code=***&state=***",
    "postcode=12345&keyboard=qwerty": "postcode=12345&keyboard=qwerty",
    "to%6Ben=abc": "to%6Ben=***",
    "token": "token",
    "token=a=b": "token=***",
    "sig=a&signature=b": "sig=***&signature=***",
}


@pytest.mark.parametrize(("query", "shown"), QUERIES.items())
def test_the_value_of_a_secret_in_a_query_is_hidden(query: str, shown: str) -> None:
    assert clean_query(query) == shown


PATHS: list[tuple[str, dict[str, Any], bool, str]] = [
    ("/users/7", {"id": "7"}, True, "/users/7"),
    ("/reset/s3cret", {"token": "s3cret"}, True, "/reset/***"),
    ("/reset/s%2Fcret", {"token": "s/cret"}, True, "/reset/***"),
    ("/reset/%73ecret", {"token": "secret"}, True, "/reset/***"),
    ("/reset/t-abc.html", {"token": "abc"}, True, "/reset/***"),
    ("/keys/a/b/c", {"secrets": ["a", "b"]}, True, "/keys/***/***/c"),
    ("/keys/a/b/c", {"secrets": "a/b"}, True, "/keys/***/***/c"),
    ("/files/1234567890abcdef12", {"name": "1234567890abcdef12"}, True, "/files/1234567890abcdef12"),
    ("/files/1234567890abcdef12", {}, False, "/files/***"),
    ("/a/readable-name-without-digits", {}, False, "/a/readable-name-without-digits"),
    ("/" + "x" * 600, {}, True, "/" + "x" * 498 + "…"),
]


@pytest.mark.parametrize(("path", "params", "is_matched", "shown"), PATHS)
def test_a_secret_in_a_path_is_hidden(path: str, params: dict[str, Any], is_matched: bool, shown: str) -> None:
    assert clean_path(path, params, is_matched=is_matched) == shown


def test_parameters_are_text_of_a_length_and_secrets_are_hidden() -> None:
    assert clean_params({"id": 7, "token": "abc", "name": "x" * 200}) == {
        "id": "7", "token": "***", "name": "x" * 99 + "…",
    }  # fmt: skip

"""An option that cannot be is an error where the parser is made, in words that name it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from asgi_express import body
from tests.body.driver import application, post

PARSERS = [body.json, body.urlencoded, body.text, body.raw]

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    *(
        ({"limit": value}, error, "option limit")
        for value, error in [
            ("1zb", ValueError),
            ("", ValueError),
            ("1k", ValueError),
            (-1, ValueError),
            (True, TypeError),
            (math.nan, TypeError),
            (1.5, TypeError),
            ({}, TypeError),
        ]
    ),
    *(({"type": value}, TypeError, "option type") for value in ["", [], None, 5, [5], [""]]),
    ({"inflate": "no"}, TypeError, "option inflate"),
    ({"inflate": None}, TypeError, "option inflate"),
    ({"verify": "lol"}, TypeError, "option verify"),
    ({"verify": True}, TypeError, "option verify"),
]


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
@pytest.mark.parametrize(("options", "error", "words"), WRONG)
def test_a_wrong_option_is_an_error_that_names_the_parser_and_the_option(
    parser: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=f"^{parser.__name__}: {words}"):
        parser(**options)


@pytest.mark.parametrize(
    ("parser", "options", "error", "words"),
    [
        (body.json, {"strict": 1}, TypeError, "strict must be True or False"),
        (body.json, {"reviver": {}}, TypeError, "reviver must be a function"),
        (body.json, {"default_charset": "utf-7"}, ValueError, "default_charset must be utf-8"),
        (body.json, {"default_charset": "latin1"}, ValueError, "default_charset must be utf-8"),
        (body.json, {"default_charset": None}, ValueError, "default_charset must be utf-8"),
        (body.text, {"default_charset": "bogus"}, ValueError, "default_charset must be the name of a charset"),
        (body.text, {"default_charset": 8}, ValueError, "default_charset must be the name of a charset"),
        (body.urlencoded, {"default_charset": "koi8-r"}, ValueError, "either utf-8 or iso-8859-1"),
        (body.urlencoded, {"extended": "yes"}, TypeError, "extended must be True or False"),
        (body.urlencoded, {"charset_sentinel": 1}, TypeError, "charset_sentinel must be"),
        (body.urlencoded, {"interpret_numeric_entities": 1}, TypeError, "interpret_numeric_entities must be"),
        (body.urlencoded, {"parameter_limit": 0}, ValueError, "parameter_limit must be a number, at least 1"),
        (body.urlencoded, {"parameter_limit": math.nan}, ValueError, "parameter_limit must be a number"),
        (body.urlencoded, {"parameter_limit": "10"}, TypeError, "parameter_limit must be a number"),
        (body.urlencoded, {"parameter_limit": True}, TypeError, "parameter_limit must be a number"),
        (body.urlencoded, {"extended": True, "depth": -1}, ValueError, "depth must be a number, from 0 to 100"),
        (body.urlencoded, {"extended": True, "depth": 101}, ValueError, "depth must be a number, from 0 to 100"),
        (body.urlencoded, {"extended": True, "depth": "x"}, TypeError, "depth must be a number"),
        (body.multipart, {"storage": "tape"}, ValueError, "storage must be 'memory', 'disk' or 'stream'"),
        (body.multipart, {"limit": "1zb"}, ValueError, "option limit"),
        (body.multipart, {"file_filter": "png"}, TypeError, "file_filter must be a function"),
        (body.multipart, {"directory": "/does/not/exist"}, ValueError, "directory must be a directory"),
        (body.multipart, {"single": "a", "array": "b"}, TypeError, "single and array exclude each other"),
        (body.multipart, {"single": 5}, TypeError, "single needs the name of a field"),
        (body.multipart, {"array": ("a", -1)}, TypeError, "array needs the name of a field and a number"),
        (body.multipart, {"fields": ["a"]}, TypeError, "fields must be a mapping"),
        (body.multipart, {"fields": {"a": True}}, TypeError, "fields needs the name of a field and a number"),
        (body.multipart, {"limits": [1]}, TypeError, "limits must be a mapping"),
        (body.multipart, {"limits": {"file_sise": 1}}, ValueError, "no limit 'file_sise'; there are field_name_size"),
        (body.multipart, {"limits": {"file_size": "1zb"}}, ValueError, "file_size is invalid"),
        (body.multipart, {"limits": {"files": "3"}}, TypeError, "limit files must be a number"),
        (body.multipart, {"limits": {"files": True}}, TypeError, "limit files must be a number"),
        (body.multipart, {"limits": {"files": -1}}, ValueError, "limit files must be a whole number"),
        (body.multipart, {"limits": {"files": 1.5}}, ValueError, "limit files must be a whole number"),
        (body.multipart, {"limits": {"field_nesting_depth": 101}}, ValueError, "whole number, from 0 to 100"),
    ],
)
def test_the_options_of_one_parser_are_checked_too(
    parser: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        parser(**options)


@pytest.mark.parametrize("limit", [None, "100kb", "100 KB", 102400])
async def test_the_limit_is_100_kb_unless_said_otherwise(limit: Any) -> None:
    app = application(body.raw(limit=limit))
    kind = "application/octet-stream"
    assert (await post(app, bytes(102400), kind)).status == 200
    assert (await post(app, bytes(102401), kind)).json["error"]["limit"] == 102400


async def test_only_infinity_is_no_limit() -> None:
    app = application(body.text(limit=math.inf))
    assert (await post(app, b"x" * 3_000_000, "text/plain")).json == {"body": "x" * 3_000_000}


async def test_any_number_of_parameters_may_be_allowed() -> None:
    app = application(body.urlencoded(parameter_limit=math.inf))
    answer = await post(app, b"&".join(b"k%d" % number for number in range(2000)), "application/x-www-form-urlencoded")
    assert len(answer.json["body"]) == 2000


async def test_a_function_tells_which_bodies_are_parsed() -> None:
    def wanted(req: Any) -> bool:
        return bool(req.get("X-Parse") == "yes")

    async def later(req: Any) -> bool:
        return wanted(req)

    for function in (wanted, later):
        app = application(body.text(type=function))
        assert (await post(app, b"hi", x_parse="yes")).json == {"body": "hi"}
        assert (await post(app, b"hi", x_parse="no")).json == {"body": None}


async def test_what_the_function_raises_is_the_error() -> None:
    def wanted(req: Any) -> bool:
        msg = "boom"
        raise RuntimeError(msg)

    error = (await post(application(body.text(type=wanted)), b"hi")).json["error"]
    assert error == {"status": 500, "type": None, "message": "boom"}


async def test_the_function_is_not_asked_where_there_is_no_body() -> None:
    asked: list[Any] = []
    app = application(body.text(type=asked.append))
    await post(app, b"", content_length="")
    assert asked == []


def test_a_place_for_temporary_files_may_be_any_path(tmp_path: Path) -> None:
    assert callable(body.multipart(directory=tmp_path))
    assert callable(body.multipart(limits={"files": None, "file_size": math.inf}))


@pytest.mark.parametrize("parser", [*PARSERS, body.multipart], ids=lambda parser: parser.__name__)
def test_a_parser_has_a_name_for_the_log(parser: Any) -> None:
    assert parser().__name__ == f"{parser.__name__}_parser"

"""JSON: what is no JSON, or could not be written again, is a 400 and never a 500."""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

import pytest

from asgi_express import _json_text, body
from tests.body.driver import application, post

JSON = "application/json"


async def parse(content: bytes | str, kind: str = JSON, **options: Any) -> Any:
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return (await post(application(body.json(limit="4mb", **options)), raw, kind)).json


HOSTILE: dict[str, str | bytes] = {
    "deep list": "[" * 100_000,
    "deep list, closed": "[" * 100_000 + "]" * 100_000,
    "deep object": '{"a":' * 100_000,
    "201 levels": "[" * 201 + "]" * 201,
    "5000 digits": "[" + "1" * 5000 + "]",
    "5000 digits, negative": "[-" + "1" * 5000 + "]",
    "infinite": "[1e400]",
    "infinite, negative": "[-1e400]",
    "infinite by digits": "[" + "1" * 400 + "e10]",
    "NaN": "[NaN]",
    "Infinity": "[Infinity]",
    "-Infinity": "[-Infinity]",
    "bad UTF-8": b'["\xff"]',
    "UTF-16 without a charset": '["a"]'.encode("utf-16-le"),
    "cut off in a string": '["a',
    "cut off in an escape": '["\\u00',
    "control character": '["\x01"]',
    "1 MB of spaces": " " * 1_000_000,
    "quotes without end": "[" * 300 + '"' + '\\"' * 100_000,
    "a backslash at the end": "[" * 300 + '"\\',
    "two values": "[1][2]",
    "leading zero": "[01]",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
async def test_what_is_no_json_is_a_400_that_keeps_the_body(content: str | bytes) -> None:
    error = (await parse(content))["error"]
    assert (error["status"], error["type"]) == (400, "entity.parse.failed")
    assert error["message"]


KEPT: dict[str, tuple[str, Any]] = {
    "200 levels": ("[" * 200 + "]" * 200, None),
    "brackets in strings": (json.dumps(["[" * 1000, '"{' * 1000, "\\[" * 1000]), None),
    "escaped quotes": ('["' + '\\"[' * 1000 + '\\\\"]', None),
    "4300 digits": ("[" + "1" * 4300 + "]", None),
    "a large float": ("[1e308]", [1e308]),
    "long numbers": ("[0." + "1" * 300 + ", 5, 1e-999]", None),
    "minus zero": ("[-0]", [0]),
    "the last of one name": ('{"a": 1, "b": 2, "a": 3}', {"a": 3, "b": 2}),
    "names of Python": ('{"__class__": 1, "__proto__": {"x": 1}}', {"__class__": 1, "__proto__": {"x": 1}}),
    "a mark of the byte order": ('\ufeff{"a": 1}', {"a": 1}),
    "a lone surrogate": ('["\\ud800"]', ["\ud800"]),
    "a NUL": ('["\\u0000"]', ["\0"]),
    "many members": ("{" + ",".join(f'"{n}":{n}' for n in range(100_000)) + "}", None),
    "a large body": ("[" + "1," * 200_000 + "1]", None),
    "spaces": (" \t\r\n" * 1000 + "[]", []),
}


@pytest.mark.parametrize(("content", "want"), KEPT.values(), ids=KEPT.keys())
async def test_what_is_json_comes_back_as_it_was(content: str, want: Any) -> None:
    want = json.loads(content.removeprefix("\ufeff")) if want is None else want
    assert await parse(content) == {"body": want}


async def test_the_nesting_is_limited_whatever_the_interpreter_could_do() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        assert (await parse("[" * 300 + "]" * 300))["error"]["status"] == 400
    finally:
        sys.setrecursionlimit(limit)


async def test_an_interpreter_that_is_near_its_limit_refuses_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Exhausted:
        def raw_decode(self, text: str) -> Any:
            raise RecursionError

    with monkeypatch.context() as patch:
        patch.setattr(_json_text, "_DECODER", Exhausted())
        answer = await post(application(body.json()), b"[]", JSON)
    error = answer.json["error"]
    assert (error["status"], error["message"]) == (400, "the body is nested too deep")


@pytest.mark.parametrize("enabled", [True, False])
async def test_collection_of_garbage_is_left_as_it_was(enabled: bool) -> None:
    lists = "[" + "[]," * 100_000 + "[]]"
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        assert len((await parse(lists))["body"]) == 100_001
        assert (await parse(lists[:-1]))["error"]["status"] == 400
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


@pytest.mark.parametrize("content", ["1", '"x"', "null", "true", "   ", " \n 1", "\v[]", "\u00a0[]", "x"])
async def test_strictly_only_objects_and_lists_are_taken(content: str) -> None:
    error = (await parse(content))["error"]
    assert (error["status"], error["type"]) == (400, "entity.parse.failed")


async def test_else_any_value_is() -> None:
    for content, want in (("1", 1), ('"x"', "x"), ("null", None), (" true ", True)):
        assert await parse(content, strict=False) == {"body": want}
    assert (await parse(" ", strict=False))["error"]["status"] == 400


@pytest.mark.parametrize("charset", ["utf-7", "utf8", "utf-8-sig", "utf-foo", "iso-8859-1", "utf-16-foo", "idna"])
async def test_a_charset_that_json_may_not_have_is_unsupported(charset: str) -> None:
    assert (await parse("[]", f"{JSON}; charset={charset}"))["error"] == {
        "status": 415,
        "type": "charset.unsupported",
        "message": f'unsupported charset "{charset.upper()}"',
        "charset": charset,
    }


@pytest.mark.parametrize("charset", ["utf-8", "UTF-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be"])
async def test_json_in_any_utf_is_read(charset: str) -> None:
    content = '{"a": "é€😀"}'.encode(charset)
    assert await parse(content, f"{JSON}; charset={charset}") == {"body": {"a": "é€😀"}}


async def test_a_default_charset_is_for_those_who_name_none() -> None:
    assert await parse('["é"]'.encode("utf-16-le"), default_charset="UTF-16LE") == {"body": ["é"]}
    assert await parse('["é"]', f"{JSON}; charset=utf-8", default_charset="utf-16le") == {"body": ["é"]}


async def test_a_reviver_sees_every_value_the_innermost_first() -> None:
    seen: list[tuple[str, Any]] = []

    def reviver(key: str, value: Any) -> Any:
        seen.append((key, json.loads(json.dumps(value))))
        return value * 2 if isinstance(value, int) else value

    assert await parse('{"a": [1, {"b": 2}]}', reviver=reviver) == {"body": {"a": [2, {"b": 4}]}}
    assert seen == [
        ("0", 1),
        ("b", 2),
        ("1", {"b": 4}),
        ("a", [2, {"b": 4}]),
        ("", {"a": [2, {"b": 4}]}),
    ]


async def test_a_reviver_that_raises_refuses_the_body() -> None:
    def reviver(key: str, value: Any) -> Any:
        msg = "no"
        raise ValueError(msg)

    error = (await parse("[1]", reviver=reviver))["error"]
    assert (error["status"], error["type"], error["message"]) == (400, "entity.parse.failed", "no")


async def test_the_error_keeps_the_text() -> None:
    caught: list[Any] = []

    def keep(error: Any, req: Any, res: Any, next: Any) -> None:
        caught.append(error)
        res.end()

    await post(application(body.json(), keep), b"{tru", JSON)
    assert caught[0].body == "{tru"

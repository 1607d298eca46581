"""What body-parser and multer made of a request, as recorded, is what the parsers make of it.

A row that ``differs`` names its row in ``docs/express-differences.md``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asgi_express import body
from tests.asgi import ask
from tests.body.driver import application

RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text(encoding="utf-8"))

LIMITS: Any = {
    "fileSize": "file_size",
    "fieldSize": "field_size",
    "fieldNameSize": "field_name_size",
    "fieldNestingDepth": "field_nesting_depth",
    "fieldArrayIndexLimit": "field_array_index",
}


def numbered(kind: str) -> list[Any]:
    return [pytest.param(row, id=f"{kind}-{number}") for number, row in enumerate(RECORDED[kind])]


@pytest.mark.parametrize("row", numbered("parsers"))
async def test_a_parser_does_what_body_parser_does(row: dict[str, Any]) -> None:
    parser = getattr(body, row["kind"])(**row["options"])
    answer = await ask(application(parser), "/", "POST", headers=row["headers"], body=base64.b64decode(row["body"]))
    got, want = answer.json, row["want"]
    if row.get("differs") == "inflating-error-type":
        want["error"]["type"] = "encoding.invalid"
        want["error"]["code"] = want["error"]["code"] if want["error"]["code"].startswith("Z_") else "Z_DATA_ERROR"
    if want.get("error", {}).get("type") == "entity.parse.failed":  # the words are those of the engine
        assert got["error"].pop("message")
        del want["error"]["message"]
    assert got == want


@pytest.mark.parametrize("row", numbered("uploads"))
async def test_multipart_does_what_multer_does(row: dict[str, Any]) -> None:
    args: Any = row["args"]
    choices: dict[str, Callable[[], dict[str, Any]]] = {
        "any": dict,
        "none": lambda: {"fields": {}},
        "single": lambda: {"single": args[0]},
        "array": lambda: {"array": tuple(args)},
        "fields": lambda: {"fields": {each["name"]: each.get("maxCount") for each in args[0]}},
    }
    options = choices[row["how"]]()
    limits: dict[str, Any] = {LIMITS.get(name, name): value for name, value in row["limits"].items()}
    content = base64.b64decode(row["body"])
    headers = {"content-type": row["type"], "content-length": str(len(content))}
    app = application(body.multipart(limits=limits, **options))
    got, want = (await ask(app, "/", "POST", headers=headers, body=content)).json, row["want"]
    if "error" in want:  # multer gives no status and no type: in Express all of them are 500
        assert got["error"].pop("status") in (400, 413, 415)
        assert got["error"].pop("type") in (
            want["error"].get("code"),
            "multipart.boundary.missing",
            "multipart.parse.failed",
            "multipart.unexpected.end",
            "content-type.unsupported",
        )
        want["error"].pop("status", None)
        want["error"].pop("type", None)
    if row["how"] == "none":
        got.pop("files", None)
    assert got == want

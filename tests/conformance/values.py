"""What JSON cannot say: the values that programs write as objects with one member whose name begins with ``$``."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.conformance.tree import placed

UNDEFINED = object()
"""JavaScript's ``undefined``: in Python, an argument that is not given."""


def snake_case(name: str) -> str:
    """``baseUrl`` and ``base_url``: the one difference in the names."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def revive(value: Any) -> Any:
    """Return the value that a program means."""
    if isinstance(value, list):
        return [revive(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (name, content), *_ = value.items()
        if name in _KINDS:
            return _KINDS[name](content)
    return {key: item for key, item in ((key, revive(item)) for key, item in value.items()) if item is not UNDEFINED}


def _number(text: str) -> float:
    return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[text]


_KINDS: dict[str, Callable[[Any], Any]] = {
    "$fn": lambda name: FUNCTIONS[name],
    "$file": placed,
    "$bytes": base64.b64decode,
    "$date": lambda milliseconds: datetime.fromtimestamp(milliseconds / 1000, UTC),
    "$number": _number,
    "$undefined": lambda _: UNDEFINED,
}


def options(spec: dict[str, Any] | None) -> dict[str, Any]:
    """Return options as keyword arguments. Express's durations are milliseconds, ours are seconds."""
    found = {snake_case(name): value for name, value in revive(spec or {}).items()}
    age = found.get("max_age")
    if isinstance(age, int | float):
        found["max_age"] = age / 1000
    return found


# The functions that a program can name; record/lib/functions.mjs has the same ones.


class Refused(Exception):
    """What a function of a program raises."""

    def __init__(self, text: str, **more: Any) -> None:
        super().__init__(text)
        self.__dict__.update(more)


def _doubles(_key: str, value: Any) -> Any:
    return value * 2 if isinstance(value, int | float) and not isinstance(value, bool) else value


def _shouts(_key: str, value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _type_throws(_req: Any) -> bool:
    raise Refused("no type")


def _refuses_a(_req: Any, _res: Any, body: bytes, _charset: str | None) -> None:
    if b"a" in (body[:1], body[1:2]):
        raise Refused("no a")


def _refuses_with_a_status(_req: Any, _res: Any, body: bytes, _charset: str | None) -> None:
    if len(body) > 3:
        raise Refused("too long", status=401, type="too.long")


def _notes(_req: Any, res: Any, body: bytes, charset: str | None) -> None:
    res.set("X-Verified", f"{len(body)} {charset or 'null'}")


def _filter_takes_text(_req: Any, part: Any) -> bool:
    if part.content_type == "application/x-bad":
        raise Refused("bad", type="BAD")
    return bool(part.content_type == "text/plain")


def _headers_size(res: Any, _path: str, stat: Any) -> None:
    res.set("X-Size", str(stat.st_size))


def _headers_own(res: Any, _path: str, _stat: Any) -> None:
    res.set({"Cache-Control": "private", "ETag": '"own"', "Content-Type": "text/x-own"})


def _engine_json(path: str, values: dict[str, Any]) -> str:
    shown = [path.rpartition("/")[2], *(values.get(name) for name in ("title", "user", "own", "shared"))]
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def _engine_settings(_path: str, values: dict[str, Any]) -> str:
    return str(values["settings"].get("view engine") or "none")


def _engine_fails(_path: str, _values: dict[str, Any]) -> str:
    raise Refused("no view today")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "etag length": lambda body: f'"{len(body)}"',
    "etag none": lambda _body: None,
    "query text": lambda text: {"text": text},
    "query list": lambda text: (text or "").split("&"),
    "trust local": lambda address, _index: address == "127.0.0.1" or address.startswith("10."),
    "trust two": lambda _address, index: index < 2,
    "replacer doubles": _doubles,
    "replacer shouts": _shouts,
    "reviver shouts": _shouts,
    "type always": lambda _req: True,
    "type never": lambda _req: False,
    "type by header": lambda req: req.get("X-Parse") == "yes",
    "type throws": _type_throws,
    "verify refuses a": _refuses_a,
    "verify refuses with a status": _refuses_with_a_status,
    "verify notes": _notes,
    "encode not": lambda value: value,
    "encode shouts": lambda value: value.upper(),
    "headers size": _headers_size,
    "headers own": _headers_own,
    "filter takes text": _filter_takes_text,
    "engine json": _engine_json,
    "engine settings": _engine_settings,
    "engine fails": _engine_fails,
}

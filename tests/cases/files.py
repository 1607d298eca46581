"""What the real Express answers with the files of one tree, and an app of ours with the same options."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express
from asgi_express.static import static
from tests.asgi import Answer

RECORDED = json.loads(Path(__file__).with_name("files.json").read_text(encoding="utf-8"))

MTIME_NS = 1_700_000_000_999_600_000
"""When all files of the tree were changed. Node rounds it up to the next second."""

_NAMES = {
    "maxAge": "max_age",
    "setHeaders": "set_headers",
    "acceptRanges": "accept_ranges",
    "cacheControl": "cache_control",
    "lastModified": "last_modified",
}

_PAGE = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{}</title>\n</head>\n'
    "<body>\n<pre>{}</pre>\n</body>\n</html>\n"
)


def answers(targets: str) -> list[Any]:
    """Return the recorded requests for targets that match, as parameters of a test: ``(request, answer)``."""
    found = [row for row in RECORDED["answers"] if re.match(targets, row[0][1])]
    return [pytest.param(*row, id=f"{number}-{row[0][0]}-{row[0][1][:40]}") for number, row in enumerate(found)]


def write(base: Path, tree: dict[str, str]) -> Path:
    """Write files with names and texts, and return the directory."""
    for name, text in tree.items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        os.utime(path, ns=(MTIME_NS, MTIME_NS))
    return base


def recorded_app(base: Path) -> Express:
    """Write the tree, and return the app that the answers were recorded from."""
    pub = str(write(base / "pub", RECORDED["tree"]))
    write(base / "pubx", {"secret": "secret"})
    app = Express()
    app.use(_preset)
    for number, options in enumerate(RECORDED["static"]):
        app.use(f"/c{number}", static(pub, **_options(options, pub)))
    app.use("/file.txt", static(f"{pub}/hello.txt"))
    for number, (path, options) in enumerate(RECORDED["send"]):
        app.all(f"/f{number}", _send(path.replace("$pub", pub), _options(options, pub)))
    for number, (path, name, options) in enumerate(RECORDED["download"]):
        app.all(f"/d{number}", _download(path.replace("$pub", pub), name, _options(options, pub)))
    app.use(_answer_error)
    return app


def check(answer: Answer, request: list[Any], expected: list[Any]) -> None:
    """Compare an answer with the recorded one: status, every header, body."""
    status, head, body = expected
    if isinstance(body, dict):
        body = _PAGE.format("Redirecting" if status == 301 else "Error", body["page"])
    headers = {name: ", ".join(value) if isinstance(value, list) else value for name, value in _head(head).items()}
    if request[0] != "HEAD" and status != 304:
        headers["content-length"] = str(len(body.encode()))
    answered = answer.headers
    del answered["x-powered-by"]
    assert (answer.status, answered, answer.text) == (status, headers, body)


def _head(number: int) -> dict[str, Any]:
    return dict(RECORDED["heads"][number])


def _options(options: dict[str, Any], pub: str) -> dict[str, Any]:
    ours = {_NAMES.get(name, name): value for name, value in options.items()}
    if "root" in ours:
        ours["root"] = pub
    if "set_headers" in ours:
        headers = ours["set_headers"]
        ours["set_headers"] = lambda res, path, stat: res.set(headers) and None
    return ours


def _send(path: str, options: dict[str, Any]) -> Callable[..., Any]:
    return lambda req, res: res.send_file(path, **options)


def _download(path: str, name: str | None, options: dict[str, Any]) -> Callable[..., Any]:
    return lambda req, res: res.download(path, name, **options)


def _preset(req: Any, res: Any, next: Any) -> None:
    if req.get("X-Preset"):
        res.status(int(req.get("X-Preset")))
    next()


def _answer_error(error: Any, req: Any, res: Any, next: Any) -> None:
    if req.get("X-Default"):
        next(error)
        return
    status = getattr(error, "status", 500)
    words = {True: "true", False: "false", None: "undefined"}
    res.status(status).type("txt").end(f"ERR {status} {words[getattr(error, 'expose', None)]}")

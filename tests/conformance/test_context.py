"""What Express's suite asks of ``AsyncLocalStorage``: a context variable outlives parsers, files and errors."""

from __future__ import annotations

import asyncio
import gzip
from base64 import b64encode
from contextvars import ContextVar
from typing import Any

import pytest

from asgi_express import Express
from tests.conformance.bodies import JSON
from tests.conformance.driver import ask
from tests.conformance.parsers import parser
from tests.conformance.tree import placed

STORE: ContextVar[str] = ContextVar("store", default="lost")

TYPES = {
    "json": "application/json",
    "urlencoded": "application/x-www-form-urlencoded",
    "text": "text/plain",
    "raw": "application/octet-stream",
}


INFLATED = b64encode(gzip.compress(b'{"name":"\xe8\xae\xba"}', mtime=0)).decode()


def _enter(_req: Any, _res: Any, next: Any) -> None:
    STORE.set("kept")
    next()


def _tell(_req: Any, res: Any) -> None:
    res.send(STORE.get())


def _tell_error(_err: Any, _req: Any, res: Any, next: Any) -> None:
    res.send(f"{STORE.get()} in an error handler")


def _asked(app: Express, **more: Any) -> str:
    answer = asyncio.run(ask(app, {"method": "POST", "target": "/", **more}))
    return answer.body.decode()


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        ("[]", {}, "kept"),
        ("", {}, "kept"),
        ("[]" * 100, {}, "kept in an error handler"),
        ("[]", {"Content-Encoding": "bogus"}, "kept in an error handler"),
        ("[]", {"Content-Type": "application/fizzbuzz"}, "kept"),
        ({"base64": INFLATED}, {"Content-Encoding": "gzip"}, "kept"),
        ({"base64": INFLATED[:-8]}, {"Content-Encoding": "gzip"}, "kept in an error handler"),
    ],
)
def test_a_context_variable_outlives_a_body_parser(kind: str, body: JSON, headers: dict[str, str], told: str) -> None:
    app = Express()
    app.use(_enter, parser({"parser": kind, "options": {"limit": 100}}), _tell, _tell_error)
    assert _asked(app, headers={"Content-Type": TYPES[kind], **headers}, sent=body, chunks=7) == told


def test_a_context_variable_outlives_a_document_that_is_no_json() -> None:
    app = Express()
    app.use(_enter, parser({"parser": "json"}), _tell, _tell_error)
    told = _asked(app, headers={"Content-Type": "application/json"}, sent='{"user":')
    assert told == "kept in an error handler"


@pytest.mark.parametrize("name", ["nums.txt", "none.txt"])
@pytest.mark.parametrize("method", ["send_file", "download"])
def test_a_context_variable_outlives_a_file(method: str, name: str) -> None:
    seen = []

    async def send(req: Any, res: Any) -> None:
        try:
            await getattr(res, method)(name, root=placed("site"))
        finally:
            seen.append(STORE.get())

    app = Express()
    app.use(_enter, send, _tell_error)
    told = _asked(app)
    assert seen == ["kept"]
    assert told == ("123456789" if name == "nums.txt" else "kept in an error handler")

"""The errors that users raise and catch."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from asgi_express import (
    BodyError,
    ClientDisconnect,
    DecodeError,
    ExpressError,
    HeadersSentError,
    HTTPError,
    MisuseError,
    PathError,
)
from asgi_express.errors import NotFound


@pytest.mark.parametrize(
    ("kind", "also"),
    [
        (PathError, TypeError),
        (MisuseError, RuntimeError),
        (HeadersSentError, MisuseError),
        (HTTPError, Exception),
        (DecodeError, HTTPError),
        (BodyError, HTTPError),
        (ClientDisconnect, HTTPError),
    ],
)
def test_every_error_can_be_caught_as_one(kind: type[Exception], also: type[Exception]) -> None:
    assert issubclass(kind, ExpressError)
    assert issubclass(kind, also)


@pytest.mark.parametrize(
    ("error", "status", "message", "expose"),
    [
        (HTTPError(404), 404, "Not Found", True),
        (HTTPError(500), 500, "Internal Server Error", False),
        (HTTPError(599), 599, "599", False),
        (HTTPError(403, "no entry"), 403, "no entry", True),
        (HTTPError(503, "", expose=True), 503, "", True),
        (HTTPError(401, "secret", expose=False), 401, "secret", False),
        (DecodeError("%zz"), 400, "Failed to decode param '%zz'", True),
        (ClientDisconnect(5), 400, "request aborted", True),
    ],
)
def test_an_http_error_is_an_answer(error: HTTPError, status: int, message: str, expose: bool) -> None:
    assert (error.status, error.message, str(error), error.expose) == (status, message, message, expose)


@pytest.mark.parametrize("status", [200, 399, 600, 99, "404", None, True, 404.0])
def test_an_http_error_needs_an_error_status(status: Any) -> None:
    with pytest.raises(ValueError, match="HTTPError: status must be an integer from 400 to 599"):
        HTTPError(status)


def test_the_headers_of_an_error_are_its_own_copy() -> None:
    headers = {"Retry-After": "5"}
    error = HTTPError(429, headers=headers)
    headers.clear()
    assert error.headers == {"Retry-After": "5"}
    assert HTTPError(429).headers == {}


def test_a_body_error_carries_its_facts() -> None:
    error = BodyError(413, "request entity too large", type="entity.too.large", limit=5, received=9)
    assert (error.status, error.type, error.limit, error.received) == (413, "entity.too.large", 5, 9)
    with pytest.raises(AttributeError, match="length"):
        _ = error.length
    assert not hasattr(error, "charset")


def test_a_path_error_tells_where() -> None:
    error = PathError("bad", path="/a(", index=2)
    assert (str(error), error.path, error.index) == ("bad", "/a(", 2)
    assert (PathError("bad").path, PathError("bad").index) == (None, None)


@pytest.mark.parametrize(
    "error",
    [
        HTTPError(429, "slow", type="limit", headers={"Retry-After": "5"}),
        NotFound("no such user", type="user", headers={"X": "1"}),
        DecodeError("%zz"),
        BodyError(415, "no", type="charset.unsupported", charset="x"),
        ClientDisconnect(7),
        PathError("bad", path="/a(", index=2),
        HeadersSentError("late"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_a_process_pool(error: Exception) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert (str(again), again.__dict__) == (str(error), error.__dict__)

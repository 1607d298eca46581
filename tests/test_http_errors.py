"""The errors that are named after their status."""

from __future__ import annotations

import re

import pytest

from asgi_express import Express, errors
from asgi_express._status import reason
from asgi_express.errors import NamedHTTPError
from tests.asgi import ask

NAMED: list[type[NamedHTTPError]] = NamedHTTPError.__subclasses__()


@pytest.mark.parametrize("named", NAMED, ids=lambda named: str(named.__name__))
def test_a_named_error_has_the_status_and_the_reason_of_its_name(named: type[NamedHTTPError]) -> None:
    error = named()
    assert (error.status, error.message) == (named.code, reason(named.code))
    assert error.expose is (named.code < 500)
    words = re.sub("[^a-z]", "", reason(named.code).lower())
    assert named.__name__.lower() == words
    assert getattr(errors, named.__name__) is named
    assert named.__name__ in errors.__all__


async def test_a_named_error_is_the_answer_with_its_headers() -> None:
    def refuse() -> None:
        raise errors.Unauthorized("who are you?", type="token.missing", headers={"WWW-Authenticate": "Bearer"})

    app = Express()
    app.get("/", refuse)
    app.get("/json", refuse)
    app.use("/json", lambda err, req, res, next: res.status(err.status).json([err.type, err.message]))
    answer = await ask(app)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert (await ask(app, "/json")).json == ["token.missing", "who are you?"]

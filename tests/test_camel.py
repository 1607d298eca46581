"""JavaScript's names are answered with Python's."""

from __future__ import annotations

from typing import Any, cast

import pytest

from asgi_express import Express, Request, Response, Router
from tests.asgi import ask

NAMES = [
    (Response, "statusCode", "status_code"),
    (Response, "sendStatus", "send_status"),
    (Response, "headersSent", "headers_sent"),
    (Response, "removeHeader", "remove_header"),
    (Request, "originalUrl", "original_url"),
    (Request, "baseUrl", "base_url"),
    (Router, "postMatch", "post_match"),
    (Router, "mergeParams", "merge_params"),
    (Router, "caseSensitive", "case_sensitive"),
    (Router, "mSearch", "m_search"),
    (Express, "getSetting", "get_setting"),
    (Express, "mergeParams", "merge_params"),
]


@pytest.mark.parametrize(("cls", "camel", "snake"), NAMES)
def test_a_camel_case_name_raises_and_names_the_other(cls: type, camel: str, snake: str) -> None:
    thing: Any = cls() if cls in (Router, Express) else object.__new__(cls)
    for use in (lambda: getattr(thing, camel), lambda: setattr(thing, camel, 1), lambda: getattr(cls, camel)):
        with pytest.raises(AttributeError, match=f"{cls.__name__} has no '{camel}'; in Python it is '{snake}'"):
            use()
    assert not hasattr(thing, camel)
    assert hasattr(cls, snake) or snake in ("merge_params", "case_sensitive")


def test_a_subclass_is_called_by_its_own_name() -> None:
    class Api(Router):
        pass

    with pytest.raises(AttributeError, match="Api has no 'postMatch'"):
        _ = cast("Any", Api()).postMatch


def test_another_unknown_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = cast("Any", Router()).nonsense


async def test_setting_a_camel_case_name_in_a_handler_is_no_silent_mistake() -> None:
    app = Express(env="test")

    def handler(req: Any, res: Any) -> None:
        res.statusCode = 404
        res.send("never")

    app.get("/", handler)
    app.use(lambda err, req, res, next: res.status(500).send(str(err)))
    answer = await ask(app)
    assert (answer.status, answer.text) == (500, "Response has no 'statusCode'; in Python it is 'status_code'")


async def test_values_of_ones_own_can_be_left_on_a_request_and_a_response() -> None:
    app = Express()

    def leave(req: Any, res: Any, next: Any) -> None:
        req.user = "Ada"
        res.extra = 1
        next()

    app.use(leave)
    app.get("/", lambda req, res: res.json([req.user, res.extra]))
    assert (await ask(app)).json == ["Ada", 1]

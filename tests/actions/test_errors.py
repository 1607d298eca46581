"""Expected errors are captured, unexpected ones reach ``handle_error``; none is lost."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express, HTTPError
from asgi_express.actions import (
    PASS_ON,
    Actions,
    YieldedError,
    assert_error,
    capture_errors,
    capture_errors_json,
    respond_to,
    yield_error,
)
from asgi_express.errors import NotFound
from tests.asgi import Answer, ask


def fail(self: Any) -> Any:
    self.write("written before")
    yield_error("no good")


def told(self: Any) -> Any:
    return {"json": [self.errors, self.buffer]}


def boom(self: Any) -> Any:
    self.cookies["a"] = "1"
    self.write("half a page", {"headers": {"X-A": "1"}})
    raise ValueError("boom")


# -- capture


async def asked(action: Any, **options: Any) -> Answer:
    app = Actions(**options)
    app.match("page", "/", action)
    return await ask(app, "/")


async def test_capture_errors_answers_what_is_yielded() -> None:
    for action in (capture_errors(fail, told), capture_errors(on_error=told)(fail)):
        assert (await asked(action)).json == [["no good"], ["written before"]]


async def test_without_a_handler_the_view_of_the_route_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("errors: {{ errors|join }}", encoding="utf-8")
    assert (await asked(capture_errors(fail), views=tmp_path)).text == "written beforeerrors: no good"


async def test_what_is_not_yielded_is_not_captured() -> None:
    assert (await asked(capture_errors(lambda self: "fine", told))).text == "fine"
    assert (await asked(capture_errors(boom, told))).status == 500


async def test_capture_errors_json_answers_with_a_list() -> None:
    assert (await asked(capture_errors_json(fail))).json == {"errors": ["no good"]}


async def test_the_innermost_capture_answers() -> None:
    inner = capture_errors(fail, lambda self: yield_error("worse"))
    assert (await asked(capture_errors(inner, told))).json == [["worse"], ["written before"]]


async def test_respond_to_captures_with_on_error() -> None:
    assert (await asked(respond_to(GET=fail, on_error=told))).json == [["no good"], ["written before"]]
    assert (await asked(respond_to(GET=told, on_error=told))).json == [None, []]


def test_assert_error_returns_what_is_true_and_stops_on_what_is_false() -> None:
    true: tuple[Any, ...] = (1, "x", [0])
    for value in true:
        assert assert_error(value) is value
    false: tuple[Any, ...] = (None, False, "", 0, [])
    for absent in false:
        with pytest.raises(YieldedError, match="no such user") as caught:
            assert_error(absent, "no such user")
        assert caught.value.errors == ["no such user"]


async def test_an_error_that_nobody_captures_is_a_500() -> None:
    assert (await asked(fail)).status == 500


# -- handle_error


async def test_handle_error_answers_on_a_fresh_request_with_the_original() -> None:
    app = Actions()
    app.match("page", "/:id", boom)

    def handle_error(self: Any, err: Exception, trace: str) -> Any:
        original = self.original_request
        assert (original.params, original.buffer, self.params, self.buffer) == ({"id": "7"}, ["half a page"], {}, [])
        assert (self.route_name, self.route_pattern, original.original_request) == ("page", "/:id", None)
        return f"{err} {'boom' in trace} {'Traceback' in trace}"

    app.handle_error = handle_error
    got = await ask(app, "/7")
    assert (got.status, got.text) == (500, "boom True True")
    assert not {"x-a", "set-cookie"} & set(got.headers)


async def test_an_answered_error_has_the_status_of_the_error_unless_the_handler_says_otherwise() -> None:
    def missing(self: Any) -> Any:
        raise NotFound("no such user")

    app = Actions()
    app.match("/", missing)
    app.handle_error = lambda self, err, trace: str(err)
    assert ((await ask(app, "/")).status, (await ask(app, "/")).text) == (404, "no such user")
    app.handle_error = lambda self, err, trace: {"status": 410}
    assert (await ask(app, "/")).status == 410


async def test_an_answered_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = Actions()
    app.match("/", boom)
    app.handle_error = lambda self, err, trace: "sorry"
    with caplog.at_level(logging.ERROR, "asgi_express"):
        await ask(app, "/")
    (record,) = caplog.records
    assert (record.getMessage(), record.exc_info is not None) == ("GET /: ValueError", True)


@pytest.mark.parametrize(
    "handle_error", [lambda self, err, trace: PASS_ON, Actions.handle_error], ids=["pass on", "the original"]
)
async def test_an_error_that_is_left_reaches_the_handlers_around(handle_error: Any) -> None:
    app = Actions()
    app.match("/", boom)
    app.handle_error = handle_error
    outer = Express().use(app).use(lambda err, req, res, next: res.status(503).send(f"outer {err}"))
    got = await ask(outer, "/")
    assert (got.status, got.text) == (503, "outer boom")


async def test_a_handler_may_ask_the_original_one_in_the_end() -> None:
    seen: list[str] = []

    def handle_error(self: Any, err: Exception, trace: str) -> Any:
        seen.append(str(err))
        return Actions.handle_error(self, err, trace)

    app = Actions()
    app.match("/", boom)
    app.handle_error = handle_error
    assert ((await ask(app, "/")).status, seen) == (500, ["boom"])


async def test_an_error_in_handle_error_is_not_lost() -> None:
    def handle_error(self: Any, err: Exception, trace: str) -> Any:
        raise KeyError("in the handler")

    app = Actions(raise_errors=True)
    app.match("/", boom)
    app.handle_error = handle_error
    with pytest.raises(KeyError, match="in the handler") as caught:
        await ask(app, "/")
    assert isinstance(caught.value.__context__, ValueError)


async def test_errors_of_filters_and_of_broken_bodies_reach_handle_error() -> None:
    app = Actions()
    app.match("/", lambda self: "fine")

    @app.before_filter
    def check(self: Any) -> None:
        if "fail" in self.params:
            raise HTTPError(403, "refused")

    app.handle_error = lambda self, err, trace: f"handled {err}"
    refused = await ask(app, "/?fail")
    assert (refused.status, refused.text) == (403, "handled refused")
    headers = {"content-type": "multipart/form-data"}
    assert (await ask(app, "/", "POST", headers=headers)).text == "handled Multipart: Boundary not found"


async def test_after_the_answer_has_begun_an_error_goes_to_the_server() -> None:
    async def late(self: Any) -> Any:
        await self.res.write("begun")
        raise ValueError("late")

    app = Actions()
    app.match("/", late)
    app.handle_error = lambda self, err, trace: "too late"
    with pytest.raises(ValueError, match="late"):
        await ask(app, "/")


@pytest.mark.parametrize("failing", [{"json": object()}, {"headers": {"X-A": "1", "X-B": "a\r\nb"}}])
async def test_nothing_of_an_answer_that_failed_is_in_the_answer_to_the_error(failing: dict[str, Any]) -> None:
    app = Actions()

    @app.match("/")
    def home(self: Any) -> Any:
        self.cookies["a"] = "1"
        return {"status": 201, "headers": {"X-A": "1"}, "content_type": "text/csv", **failing}

    app.handle_error = lambda self, err, trace: "sorry"
    got = await ask(app, "/")
    assert (got.status, got.text, got.headers["content-type"]) == (500, "sorry", "text/html; charset=utf-8")
    assert not {"x-a", "set-cookie"} & set(got.headers)

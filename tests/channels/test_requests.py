"""HTTP requests as events."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from asgi_express import Express, HTTPError, Request, Response
from asgi_express.channels import Channels, Context, RequestEvents, Stop
from tests.asgi import ask


def answering(channel: str = "request") -> Channels:
    """Return channels where somebody tells which channel heard the request."""
    channels = Channels()
    channels.subscribe(channel, lambda context, delivery: f"{delivery.channel} {context.req.method}")
    return channels


@pytest.mark.parametrize(
    ("method", "target", "text"),
    [
        ("GET", "/", "request:get GET"),
        ("GET", "/users/7?a=1", "request:get:users:7 GET"),
        ("DELETE", "//users/7/", "request:delete:users:7 DELETE"),
        ("GET", "/a%3Ab/%2A/%D0%BA", "request:get:a:b:*:к GET"),
    ],
)
async def test_a_request_is_published_by_method_and_path(method: str, target: str, text: str) -> None:
    answer = await ask(RequestEvents(answering()), target, method)
    assert (answer.status, answer.text) == (200, text)


async def test_head_is_answered_as_get_without_the_body() -> None:
    asked, looked = [await ask(RequestEvents(answering("request:get")), "/users/7", verb) for verb in ("GET", "HEAD")]
    assert (looked.status, looked.body) == (200, b"")
    assert looked.headers["content-type"] == asked.headers["content-type"]


async def test_the_deepest_channel_is_asked_first_and_a_parent_hears_what_no_child_stopped() -> None:
    channels = Channels()
    channels.subscribe("request:get:users", lambda context: {"user": context.suffix[-1]})
    channels.subscribe("request:get:users:0", lambda: Stop("the first"))
    app = RequestEvents(channels)
    assert (await ask(app, "/users/7")).json == {"user": "7"}
    assert (await ask(app, "/users/0")).text == "the first"
    assert (await ask(app, "/users:0")).status == 404


@pytest.mark.parametrize(
    ("target", "words"), [("/%ff", "the path cannot be read"), ("/a%0Ab", "no control characters")]
)
async def test_a_path_that_is_no_name_is_400(target: str, words: str) -> None:
    app = Express(env="development")
    app.use(RequestEvents(answering()))
    answer = await ask(app, target)
    assert answer.status == 400
    assert words in answer.text


async def test_subscribers_answer_with_the_response_and_may_leave_each_other_notes() -> None:
    channels = Channels()

    @channels.on("request:get", priority=1)
    def load(context: Context) -> None:
        context.user = "ada"

    @channels.on("request:get")
    async def show(context: Context) -> str:
        await context.res.status(201).json({"user": context.user})
        return "too late to be sent"

    answer = await ask(RequestEvents(channels), "/me")
    assert (answer.status, answer.json) == (201, {"user": "ada"})


async def test_every_publisher_is_published_on_with_its_context_and_the_suffix_of_ones_own() -> None:
    channels = Channels()
    heard: list[Any] = []

    @channels.on("*")
    def hear(context: Context, delivery: Any) -> None:
        heard.append((delivery.channel, context.started, context.channels is channels))

    async def start(context: Context) -> None:
        context.started = True

    def add(req: Request) -> list[str]:
        return ["v1", req.method]

    app = RequestEvents(
        channels, publishers=["log:http", ["request"]], context=[start, lambda context: None], suffix=add
    )
    assert (await ask(app, "/")).status == 404
    assert heard == [("log:http:v1:GET", True, True), ("request:v1:GET", True, True)]


async def test_an_error_in_one_publisher_keeps_the_others_from_nothing_and_reaches_the_error_handlers() -> None:
    channels = Channels()
    heard = []

    @channels.on("log")
    def fail() -> None:
        raise HTTPError(418, "no log")

    channels.subscribe("request", lambda: heard.append("request"))
    channels.subscribe("request", lambda: "a result")
    app = Express()
    app.use(RequestEvents(channels, publishers=["log", "request"]))
    app.use(lambda err, req, res, next: res.status(err.status).send(str(err)))
    answer = await ask(app, "/")
    assert (answer.status, answer.text, heard) == (418, "no log", ["request"])


async def test_several_errors_come_in_a_group() -> None:
    channels = Channels()
    channels.subscribe("request", lambda context: context.nobody)
    channels.subscribe("request", lambda context: 1 / 0)
    app = Express()
    app.use(RequestEvents(channels))
    app.use(lambda err, req, res, next: res.send(" ".join(type(each).__name__ for each in err.exceptions)))
    assert (await ask(app, "/")).text == "AttributeError ZeroDivisionError"


async def test_errors_beside_an_answer_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    channels = Channels()
    channels.subscribe("request:get", lambda context: context.res.send("answered") and None)
    channels.subscribe("request", lambda context: context.lost)
    with caplog.at_level(logging.ERROR):
        answer = await ask(RequestEvents(channels), "/")
    assert (answer.status, answer.text) == (200, "answered")
    assert "has no attribute 'lost'" in caplog.text


async def test_an_error_of_the_context_ends_the_request() -> None:
    def refuse(context: Context) -> None:
        raise HTTPError(403, "no")

    channels = answering()
    heard: list[str] = []
    channels.subscribe("request", lambda: heard.append("request"))
    assert (await ask(RequestEvents(channels, context=[refuse]), "/")).status == 403
    assert heard == []


async def test_mounted_it_publishes_what_is_below_and_goes_on_where_nobody_answers() -> None:
    app = Express()
    app.use("/events", RequestEvents(answering("request:get:users")))
    app.use(lambda req, res: res.send("the rest"))
    assert (await ask(app, "/events/users")).text == "request:get:users GET"
    assert (await ask(app, "/events/others")).text == "the rest"


async def test_a_response_that_a_subscriber_returns_is_an_answer() -> None:
    channels = Channels()

    def answer(context: Context) -> Response:
        return context.res.status(202).send("sent")

    channels.subscribe("request", answer)
    got = await ask(RequestEvents(channels), "/")
    assert (got.status, got.text) == (202, "sent")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"channels": {}}, TypeError, "expected Channels, not {}"),
        ({"publishers": "request"}, TypeError, "publishers must be a list of names, not 'request'"),
        ({"publishers": []}, ValueError, "there must be a publisher"),
        ({"publishers": ["a:"]}, ValueError, "a part must not be empty"),
        ({"context": [7]}, TypeError, "expected a function, not 7"),
        ({"suffix": "method"}, TypeError, "expected a function, not 'method'"),
    ],
)
def test_options_out_of_range_are_refused(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        RequestEvents(**{"channels": Channels(), **options})

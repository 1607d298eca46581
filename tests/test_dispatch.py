"""The walk: next awaited and not, errors, misuse, ASGI middleware, and answers that cannot be given."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from typing import Any

import pytest
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect

from asgi_express import ClientDisconnect, Express, HeadersSentError, HTTPError, MisuseError, Router, next_app
from tests.asgi import Answer, Client, ask, http_scope


def sends(text: str) -> Any:
    return lambda req, res: res.send(text)


class Stamp:
    """A middleware of the one shape: marks answers, and remembers what it saw."""

    def __init__(self, app: Any = next_app, *, mark: str = "stamp") -> None:
        self.app = app
        self.mark = mark.encode()
        self.seen: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_stamped(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-stamp", self.mark)]}
            await send(message)

        try:
            await self.app(scope, receive, send_stamped)
        except Exception as error:
            self.seen.append(error)
            raise


# -- next


@pytest.mark.parametrize("awaited", [False, True])
async def test_what_follows_runs_after_the_handler_or_inside_it(awaited: bool) -> None:
    order: list[str] = []
    app = Express()

    @app.use()
    async def around(req: Any, res: Any, next: Any) -> None:
        order.append("in")
        if awaited:
            await next()
        else:
            next()
        order.append("out")

    @app.get("/")
    def handler(req: Any, res: Any) -> None:
        order.append("handler")
        res.send("x")

    await ask(app)
    assert order == (["in", "handler", "out"] if awaited else ["in", "out", "handler"])


async def test_code_after_an_awaited_next_sees_what_it_saw_before() -> None:
    seen: list[Any] = []
    app = Express()
    inner = Router(merge_params=True)

    @inner.use("/:b")
    async def around(req: Any, res: Any, next: Any) -> None:
        before = (req.url, req.base_url, dict(req.params), req.route, req.app)
        await next()
        seen.append((before, (req.url, req.base_url, dict(req.params), req.route, req.app)))

    inner.get("/:b/x", lambda req, res, next: (setattr(req, "url", "/elsewhere"), next())[1])
    app.use("/:a", inner)
    sub = Express()
    sub.get("/there", sends("there"))
    app.use("/elsewhere", sub)
    app.use(sends("end"))
    answer = await ask(app, "/1/2/x")
    assert answer.text == "end"
    before, after = seen[0]
    assert before == after == ("/x", "/1/2", {"a": "1", "b": "2"}, None, app)


async def test_a_response_decided_before_next_is_pushed_before_the_rest_runs() -> None:
    app = Express()
    answer = Answer()
    pushed: list[bool] = []
    app.use(lambda req, res, next: (res.send("first"), next())[1])
    app.use(lambda req, res, next: (pushed.append(answer.complete), next())[1])
    await ask(app, answer=answer)
    assert pushed == [True]
    assert answer.text == "first"


async def test_six_thousand_handlers_and_five_hundred_routers_cost_no_stack() -> None:
    app = Express()
    for _ in range(6000):
        app.use(lambda req, res, next: next())
    router: Router = app
    for _ in range(500):
        child = Router()
        router.use("/a", child)
        router = child
    router.get("/end", lambda req: str(len(req.base_url)))
    assert (await ask(app, "/a" * 500 + "/end")).text == "1000"


async def test_awaiting_next_too_deep_is_an_error_with_words(caplog: pytest.LogCaptureFixture) -> None:
    app = Express()

    async def around(req: Any, res: Any, next: Any) -> None:
        await next()

    for _ in range(400):
        app.use(around)
    app.get("/", sends("never"))
    answer = await ask(app)
    assert answer.status == 500
    assert "await next() is nested 125 deep" in caplog.text
    app.stack[:] = app.stack[-100:]
    assert (await ask(app)).text == "never"


async def test_too_deep_is_answered_by_an_error_handler_like_any_error() -> None:
    app = Express()

    async def around(req: Any, res: Any, next: Any) -> None:
        await next()

    for _ in range(400):
        app.use(around)
    app.use(lambda err, req, res, next: res.status(508).send(type(err).__name__))
    answer = await ask(app)
    assert (answer.status, answer.text) == (508, "MisuseError")


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("call", "next() was called twice"),
        ("await", "next() was awaited twice, or too late"),
    ],
)
async def test_a_second_next_is_a_misuse_that_names_the_handler(second: str, words: str) -> None:
    app = Express()
    caught: list[BaseException] = []

    async def greedy(req: Any, res: Any, next: Any) -> None:
        going_on = next()
        try:
            if second == "call":
                next()
            else:
                await going_on
                await going_on
        except MisuseError as error:
            caught.append(error)

    app.use(greedy)
    app.get("/", sends("ok"))
    assert (await ask(app)).text == "ok"
    assert words in str(caught[0])
    assert "greedy" in str(caught[0])


async def test_next_called_after_the_handler_was_over_is_a_misuse() -> None:
    app = Express()
    kept: list[Any] = []
    app.use(lambda req, res, next: (kept.append(next), res.send("x"))[1])
    await ask(app)
    with pytest.raises(MisuseError, match="after the handler was over"):
        kept[0]()


async def test_next_may_come_from_elsewhere_while_the_handler_waits() -> None:
    app = Express()

    @app.use()
    async def waits(req: Any, res: Any, next: Any) -> None:
        asyncio.get_running_loop().call_soon(next)
        await res.wait_finished()

    app.get("/", sends("later"))
    assert (await ask(app)).text == "later"


async def test_the_answer_may_come_from_elsewhere_while_the_handler_waits() -> None:
    app = Express()

    @app.get("/")
    async def waits(req: Any, res: Any) -> None:
        asyncio.get_running_loop().call_soon(res.send, "from a callback")
        await res.wait_finished()

    assert (await ask(app)).text == "from a callback"


# -- values


@pytest.mark.parametrize(
    ("value", "status", "body"),
    [
        ("text", 200, "text"),
        (b"bytes", 200, "bytes"),
        ({"a": [1, None]}, 200, '{"a":[1,null]}'),
        (0, 200, "0"),
        (False, 200, "false"),
        ("", 200, ""),
        (PlainTextResponse("starlette", 202), 202, "starlette"),
    ],
)
@pytest.mark.parametrize("kind", ["()", "(req)", "(req, res)", "async ()"])
async def test_a_returned_value_is_the_answer(kind: str, value: Any, status: int, body: str) -> None:
    async def later() -> Any:
        return value

    handlers: dict[str, Any] = {
        "()": lambda: value,
        "(req)": lambda req: value,
        "(req, res)": lambda req, res: value,
        "async ()": later,
    }
    app = Express()
    app.get("/", handlers[kind])
    answer = await ask(app)
    assert (answer.status, answer.text) == (status, body)


async def test_a_plain_handler_may_return_an_awaitable_or_the_response() -> None:
    app = Express()

    async def value() -> str:
        return "awaited"

    app.get("/task", lambda: asyncio.ensure_future(value()))
    app.get("/response", lambda req, res: res.status(201).send("x"))
    app.get("/next", lambda req, res, next: next())
    app.use(sends("after next"))
    assert (await ask(app, "/task")).text == "awaited"
    assert (await ask(app, "/response")).status == 201
    assert (await ask(app, "/next")).text == "after next"


async def test_a_value_beside_an_answer_is_an_error_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = Express()

    @app.get("/")
    def both(req: Any, res: Any) -> str:
        res.send("answer")
        return "value"

    assert (await ask(app)).text == "answer"
    assert "HeadersSentError" in caplog.text


# -- misuse


async def test_a_handler_that_does_nothing_is_an_error_and_not_a_hanging_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Express()

    def forgetful(req: Any, res: Any) -> None:
        pass

    app.get("/", forgetful)
    assert (await ask(app)).status == 500
    assert "forgetful returned without an answer, without a value and without calling next()" in caplog.text


async def test_an_error_handler_that_does_nothing_keeps_the_error_as_the_cause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Express()
    app.get("/", lambda: 1 / 0)
    app.use(lambda err, req, res, next: None)
    assert (await ask(app)).status == 500
    assert "ZeroDivisionError" in caplog.text


async def test_an_error_in_an_error_handler_has_the_first_one_as_its_context() -> None:
    app = Express()
    app.get("/", lambda: 1 / 0)
    seen: list[Any] = []

    def worse(err: Any, req: Any, res: Any, next: Any) -> None:
        raise KeyError

    app.use(worse)
    app.use(lambda err, req, res, next: (seen.append(err), res.send("x"))[1])
    await ask(app)
    assert isinstance(seen[0], KeyError)
    assert isinstance(seen[0].__context__, ZeroDivisionError)


async def test_an_asgi_app_that_does_nothing_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    app = Express()

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        pass

    app.mount("/", silent)
    assert (await ask(app)).status == 500
    assert "silent returned without an answer and without calling the app that it wraps" in caplog.text


async def test_an_answer_that_is_begun_and_never_ended_is_cut_off() -> None:
    app = Express()
    app.get("/", lambda req, res: res.write("half"))
    app.get("/next", lambda req, res, next: (res.write("half"), next())[1])
    answer = Answer()
    with pytest.raises(MisuseError, match="returned without ending its answer"):
        await ask(app, answer=answer)
    assert answer.chunks == [b"half"]
    with pytest.raises(MisuseError, match="nothing on the stack ended it"):
        await ask(app, "/next")


async def test_an_error_after_the_answer_was_begun_cuts_it_off() -> None:
    app = Express()

    @app.get("/")
    async def broken(req: Any, res: Any) -> None:
        await res.write("half")
        raise ValueError("in the middle")

    answer = Answer()
    with pytest.raises(ValueError, match="in the middle"):
        await ask(app, answer=answer)
    assert answer.chunks == [b"half"]


async def test_an_error_after_the_answer_was_given_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Express()

    @app.get("/")
    def late(req: Any, res: Any) -> None:
        res.send("delivered")
        raise ValueError("too late")

    answer = await ask(app)
    assert (answer.status, answer.text) == (200, "delivered")
    assert "too late" in caplog.text


async def test_an_error_after_an_awaited_next_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Express()

    @app.use()
    async def around(req: Any, res: Any, next: Any) -> None:
        await next()
        raise ValueError("on the way out")

    app.get("/", sends("delivered"))
    assert (await ask(app)).text == "delivered"
    assert "on the way out" in caplog.text


async def test_setting_a_header_after_an_awaited_next_is_an_error_that_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Express()

    @app.use()
    async def around(req: Any, res: Any, next: Any) -> None:
        await next()
        res.set("X-Late", "1")

    app.get("/", sends("delivered"))
    answer = await ask(app)
    assert "x-late" not in answer.headers
    assert "HeadersSentError" in caplog.text


async def test_cancelling_a_request_runs_its_cleanup_and_answers_nothing() -> None:
    app = Express()
    cleaned: list[str] = []
    started = asyncio.Event()

    @app.use()
    async def around(req: Any, res: Any, next: Any) -> None:
        try:
            await next()
        finally:
            cleaned.append("around")

    @app.get("/")
    async def waits(req: Any, res: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    answer = Answer()
    task = asyncio.ensure_future(ask(app, answer=answer))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == ["around"]
    assert answer.messages == []


# -- errors


async def test_an_awaited_next_returns_once_the_error_was_answered() -> None:
    app = Express()
    seen: list[int] = []

    @app.use()
    async def around(req: Any, res: Any, next: Any) -> None:
        await next()
        seen.append(res.status_code)

    app.get("/", lambda: 1 / 0)
    app.use(lambda err, req, res, next: res.status(418).send("teapot"))
    assert (await ask(app)).status == 418
    assert seen == [418]


async def test_an_awaited_next_returns_even_if_the_error_goes_to_the_host() -> None:
    router = Router(raise_errors=True)
    seen: list[str] = []

    @router.use()
    async def around(req: Any, res: Any, next: Any) -> None:
        await next()
        seen.append("out")

    router.get("/", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await ask(router)
    assert seen == ["out"]


async def test_an_error_that_is_no_exception_reaches_handlers_as_it_is_and_the_host_as_one() -> None:
    app = Express()
    app.get("/", lambda req, res, next: next("no luck"))
    app.use(lambda err, req, res, next: res.status(400).send(err))
    assert (await ask(app)).text == "no luck"
    router = Router(raise_errors=True)
    router.get("/", lambda req, res, next: next("no luck"))
    with pytest.raises(Exception, match="no luck"):
        await ask(router)


async def test_raise_errors_still_answers_404_and_logs_what_came_after_the_answer() -> None:
    router = Router(raise_errors=True)

    @router.get("/late")
    def late(req: Any, res: Any) -> None:
        res.send("delivered")
        raise ValueError

    assert (await ask(router, "/none")).status == 404
    assert (await ask(router, "/late")).text == "delivered"


async def test_raise_errors_raises_what_fails_on_the_way_out() -> None:
    router = Router(raise_errors=True)

    @router.use()
    async def around(req: Any, res: Any, next: Any) -> None:
        await next()
        raise ValueError("on the way out")

    router.get("/", sends("x"))
    with pytest.raises(ValueError, match="on the way out"):
        await ask(router)


# -- ASGI middleware


async def test_a_middleware_is_around_everything_after_it_the_404_included() -> None:
    app = Express()
    app.get("/before", sends("before"))
    app.use(Stamp())
    app.get("/", sends("hello"))
    app.get("/boom", lambda: 1 / 0)
    assert "x-stamp" not in (await ask(app, "/before")).headers
    assert (await ask(app)).headers["x-stamp"] == "stamp"
    assert (await ask(app, "/none")).headers["x-stamp"] == "stamp"
    boom = await ask(app, "/boom")
    assert (boom.status, boom.headers["x-stamp"]) == (500, "stamp")


async def test_a_middleware_may_stand_in_a_route_in_a_list_and_below_a_path() -> None:
    app = Express()
    app.get("/x", [Stamp(mark="1"), [Stamp(mark="2")]], sends("x"))
    app.use("/api", Stamp(mark="3"))
    app.get("/api/y", sends("y"))
    app.get("/apiary", sends("z"))
    assert (await ask(app, "/x")).headers["x-stamp"] == "2, 1"
    assert (await ask(app, "/api/y")).headers["x-stamp"] == "3"
    assert "x-stamp" not in (await ask(app, "/apiary")).headers


async def test_one_middleware_may_serve_many_requests_at_once() -> None:
    app = Express()
    app.use(Stamp(), Stamp(mark="second"))
    release = asyncio.Event()

    @app.get("/:id")
    async def show(req: Any, res: Any) -> None:
        await release.wait()
        res.send(req.params["id"])

    waiting = [asyncio.ensure_future(ask(app, f"/{n}")) for n in range(100)]
    release.set()
    answers = await asyncio.gather(*waiting)
    assert [answer.text for answer in answers] == [str(n) for n in range(100)]


async def test_a_middleware_sees_an_exception_only_if_nothing_after_it_answered() -> None:
    quiet, loud = Stamp(), Stamp()
    app = Express()
    app.use(quiet)
    app.get("/", lambda: 1 / 0)
    await ask(app)
    assert quiet.seen == []
    router = Router(raise_errors=True)
    router.use(loud)
    router.get("/", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await ask(router)
    assert [type(error) for error in loud.seen] == [ZeroDivisionError]


async def test_a_middleware_that_calls_its_app_twice_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    async def twice(scope: Any, receive: Any, send: Any) -> None:
        await next_app(scope, receive, send)
        await next_app(scope, receive, send)

    class Twice:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await twice(scope, receive, send)

    app = Express()
    app.use(Twice())
    app.get("/", sends("once"))
    assert (await ask(app)).text == "once"
    assert "next_app was called twice" in caplog.text


async def test_an_error_of_a_middleware_goes_to_the_error_handlers_after_it() -> None:
    class Broken:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            raise HTTPError(503, "not today")

    app = Express()
    app.use(Broken())
    app.use(lambda err, req, res, next: res.status(err.status).send(err.message))
    answer = await ask(app)
    assert (answer.status, answer.text) == (503, "not today")


async def test_what_follows_sees_the_scope_of_the_middleware_and_what_is_outside_does_not() -> None:
    class Copies:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await next_app({**scope, "user": "ada"}, receive, send)

    app = Express()
    outside: list[Any] = []

    @app.use()
    async def around(req: Any, res: Any, next: Any) -> None:
        await next()
        outside.append(req.scope.get("user"))

    app.use(Copies())
    app.get("/", lambda req: req.scope["user"])
    assert (await ask(app)).text == "ada"
    assert outside == [None]


async def test_a_middleware_may_change_method_path_and_query() -> None:
    class Rewrites:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await next_app({**scope, "method": "PUT", "path": "/in/neu é", "query_string": b"a=1"}, receive, send)

    app = Express()
    app.use("/in", Rewrites())
    app.put("/in/neu%20%C3%A9", lambda req: [req.method, req.url, req.query])
    assert (await ask(app, "/in/old")).json == ["PUT", "/in/neu%20%C3%A9?a=1", {"a": "1"}]


async def test_a_middleware_below_a_path_may_lead_out_of_it() -> None:
    class Leads:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await next_app({**scope, "path": "/out"}, receive, send)

    app = Express()
    inner = Router()
    inner.use(Leads())
    inner.get("/out", lambda req: [req.base_url, req.url])
    app.use("/in", inner)
    assert (await ask(app, "/in/x?a=1")).json == ["/in", "/out?a=1"]


async def test_a_middleware_may_replace_the_error_that_the_host_gets() -> None:
    class Replaces:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            try:
                await next_app(scope, receive, send)
            except ZeroDivisionError as error:
                raise KeyError("another") from error

    router = Router(raise_errors=True)
    router.use(Replaces())
    router.get("/", lambda: 1 / 0)
    with pytest.raises(KeyError, match="another"):
        await ask(router)


async def test_options_cannot_be_answered_once_an_answer_was_begun() -> None:
    app = Express()
    app.use(lambda req, res, next: (res.write("begun"), next())[1])
    app.use(Router().get("/", sends("x")))
    seen: list[Any] = []
    app.use(lambda err, req, res, next: (seen.append(err), res.end())[1])
    answer = await ask(app, "/", "OPTIONS")
    assert answer.text == "begun"
    assert isinstance(seen[0], HeadersSentError)


async def test_root_path_grows_below_a_path_and_is_restored_after_it() -> None:
    seen: list[tuple[str, str, str]] = []

    class Looks:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append((scope["root_path"], scope["path"], scope["raw_path"].decode()))
            await next_app(scope, receive, send)

    app = Express()
    app.use("/a%20b", Looks())
    app.use(Looks())
    app.get("/a%20b/c", lambda req: [req.scope["root_path"], req.scope["path"]])
    answer = await ask(app, "/a%20b/c", root_path="/host", path="/host/a b/c", raw_path=b"/host/a%20b/c")
    assert answer.json == ["/host", "/host/a b/c"]
    assert seen == [
        ("/host/a b", "/host/a b/c", "/host/a%20b/c"),
        ("/host", "/host/a b/c", "/host/a%20b/c"),
    ]


async def test_a_third_party_middleware_joins_with_next_app() -> None:
    app = Express()
    app.use(GZipMiddleware(next_app, minimum_size=10))
    app.get("/", sends("x" * 1000))
    answer = await ask(app, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < 100


async def test_headers_set_before_an_app_are_on_its_answer_unless_it_has_its_own() -> None:
    app = Express()
    app.use(lambda req, res, next: next() if res.set({"X-A": "1", "Content-Type": "text/x"}).append("Vary", "A") else 0)
    app.mount("/", PlainTextResponse("x", headers={"Vary": "B"}))
    headers = (await ask(app)).headers
    assert headers["x-a"] == "1"
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["vary"] == "B, A"


async def test_a_body_that_was_read_is_there_for_an_app_behind() -> None:
    app = Express()

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    @app.use()
    async def reads(req: Any, res: Any, next: Any) -> None:
        assert await req.read() == b"abc"
        next()

    app.mount("/", echo)
    assert (await ask(app, method="POST", body=[b"a", b"bc"])).body == b"abc"


async def test_what_follows_reads_from_the_receive_of_the_middleware() -> None:
    class Upper:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def receive_upper() -> Any:
                message = await receive()
                return {**message, "body": message["body"].upper()}

            await next_app(scope, receive_upper, send)

    app = Express()

    @app.use()
    async def reads(req: Any, res: Any, next: Any) -> None:
        await req.text()
        next()

    app.use(Upper())

    @app.post("/")
    async def show(req: Any, res: Any) -> None:
        res.send(await req.text())

    assert (await ask(app, method="POST", body=b"shout")).text == "SHOUT"


async def test_next_app_outside_of_a_router_says_what_is_missing() -> None:
    with pytest.raises(MisuseError, match="pass the app to wrap"):
        await ask(Stamp())


# -- the watch over plain handlers


async def test_development_logs_once_that_a_plain_handler_holds_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    app = Express(env="development")

    def slow(req: Any, res: Any) -> None:
        end = time.perf_counter() + 0.11
        while time.perf_counter() < end:
            pass
        res.send("x")

    app.get("/", slow)
    with caplog.at_level(logging.WARNING):
        await ask(app)
        await ask(app)
    assert caplog.text.count("slow held the event loop for over 100 ms") == 1
    assert "blocking(...)" in caplog.text


async def test_a_client_that_left_is_no_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    app = Express()

    @app.post("/")
    async def reads(req: Any, res: Any) -> None:
        res.send(await req.read())

    answer = await ask(app, method="POST", client=Client([b"half"], leaves=True))
    assert answer.status == 400
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_an_endless_answer_ends_when_the_client_leaves(caplog: pytest.LogCaptureFixture) -> None:
    app = Express()
    client = Client()
    ended: list[BaseException] = []

    @app.get("/")
    async def endless(req: Any, res: Any) -> None:
        try:
            for number in range(1_000_000):
                await res.write(f"{number}\n")
                if number == 3:
                    client.leave()
                await asyncio.sleep(0)
        except BaseException as error:
            ended.append(error)
            raise

    answer = await ask(app, client=client)
    assert [type(error) for error in ended] == [ClientDisconnect]
    assert 4 <= len(answer.chunks) < 20
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_server_that_raises_when_the_client_has_gone_ends_the_answer_in_peace() -> None:
    app = Express()

    @app.get("/")
    async def pieces(req: Any, res: Any) -> None:
        await res.write("a")
        await res.write("b")

    async def send(message: Any) -> None:
        if message.get("body") == b"b":
            raise ConnectionResetError

    await app(http_scope(), Client().receive, send)


async def test_an_error_of_websockets_in_an_http_handler_is_an_error_like_any_other() -> None:
    def asks_elsewhere() -> None:
        raise WebSocketDisconnect(1000)

    app = Express()
    app.get("/", asks_elsewhere)
    assert (await ask(app)).status == 500


async def test_a_body_that_was_read_behind_an_asgi_middleware_is_there_for_those_around_it() -> None:
    read: list[str] = []
    app = Express()

    async def around(req: Any, res: Any, next: Any) -> None:
        await next()
        read.append(await req.text())

    async def echo(req: Any) -> str:
        return str(await req.text())

    app.use(around, GZipMiddleware(next_app)).post("/", echo)
    assert (await ask(app, "/", method="POST", body=b"once")).text == "once"
    assert read == ["once"]


def _around(req: Any, res: Any, next: Any) -> None:
    next()


async def _awaiting(req: Any, res: Any, next: Any) -> None:
    await next()


async def _drop(message: Any) -> None:
    """Take what is sent."""


@pytest.mark.parametrize(
    "handlers",
    [(), (_around,), (_awaiting,), (GZipMiddleware(next_app),), (GZipMiddleware(next_app), _awaiting)],
    ids=["handler", "function", "awaiting", "ASGI", "ASGI and awaiting"],
)
async def test_a_request_leaves_no_circle_for_the_collector_of_garbage(handlers: tuple[Any, ...]) -> None:
    app = Express()
    for handler in handlers:
        app.use(handler)
    app.get("/users/:id", lambda req, res: res.json(req.params))
    await ask(app, "/users/1")
    gc.collect()
    gc.disable()
    try:
        await app(http_scope("/users/2"), Client().receive, _drop)
        assert gc.collect() == 0
    finally:
        gc.enable()


async def test_to_go_on_with_a_request_that_is_over_is_a_mistake() -> None:
    scopes: list[Any] = []

    class Keeping:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            scopes.append(scope)
            await next_app(scope, receive, send)

    app = Express()
    app.use(Keeping()).get("/", lambda req, res: res.send("once"))
    assert (await ask(app)).text == "once"
    with pytest.raises(MisuseError, match="after the request was answered"):
        await next_app(scopes[0], Client().receive, _drop)


async def test_what_was_written_before_an_awaited_next_goes_out_first() -> None:
    app = Express()

    async def around(req: Any, res: Any, next: Any) -> None:
        res.write("before, ")
        await next()

    app.use(around).get("/", lambda req, res: res.end("after"))
    answer = await ask(app)
    assert answer.chunks == [b"before, ", b"after"]

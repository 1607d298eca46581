"""What a hostile review has found, each with the attack that found it."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import asgi_express as express
from asgi_express import Express, HTTPError, Router, next_app, session
from asgi_express.middleware import EndpointFirewall
from tests.asgi import Client, ask, http_scope


async def test_asking_whether_the_client_has_gone_loses_nothing_of_the_body() -> None:
    app = Express()

    @app.post("/")
    async def count(req: Any, res: Any) -> int:
        size = 0
        async for chunk in req.stream():
            size += len(chunk)
            if await req.disconnected():
                break
        return size

    assert (await ask(app, method="POST", body=[b"0123456789"] * 1000)).json == 10_000


async def test_our_server_leaves_forwarded_headers_to_trust_proxy() -> None:
    app = Express()
    app.get("/", lambda req: [req.ip, req.hostname, req.secure])
    request = (
        b"GET / HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 192.0.2.6\r\nX-Forwarded-Host: shop.example\r\n"
        b"X-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
    )
    answers = []
    async with app.serve(port=0) as server:
        for trust in (False, "loopback"):
            app.set("trust proxy", trust)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request)
            answers.append((await reader.read()).rpartition(b"\r\n")[2])
            writer.close()
    assert answers == [b'["127.0.0.1","inner",false]', b'["192.0.2.6","shop.example",true]']


@pytest.mark.parametrize("value", ["x" * 5000, object()])
async def test_a_session_that_cannot_be_saved_is_an_error_for_the_error_handlers(value: Any) -> None:
    app = Express()
    app.use(session(secret="a secret of 16 letters"))

    @app.get("/")
    def keep(req: Any, res: Any) -> None:
        req.session["value"] = value
        res.set("X-Kept", "1").send("saved")

    app.use(lambda err, req, res, next: res.status(500).json({"error": str(err)}))
    answer = await ask(app)
    assert (answer.status, answer.complete) == (500, True)
    assert len(answer.json["error"]) > 10
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["x-kept"] == "1"


async def test_waiting_for_an_answer_from_elsewhere_ends_when_the_client_leaves() -> None:
    app = Express()
    client = Client()

    @app.get("/")
    async def wait(req: Any, res: Any) -> None:
        client.leave()
        await res.wait_finished()

    await ask(app, client=client)


async def test_a_long_form_is_parsed_off_the_loop() -> None:
    app = Express()

    @app.post("/")
    async def read(req: Any, res: Any) -> Any:
        return len((await req.form())["a"])

    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await ask(app, method="POST", body=b"a=" + b"%41" * 30_000, headers=headers)).json == 30_000
    many = b"a&" * 40_000
    assert (await ask(app, method="POST", body=many, headers=headers)).status == 413


@pytest.mark.parametrize("query", ["next=a&next=b", "next=//evil.example", ""])
async def test_a_redirect_that_is_not_safe_goes_to_the_fallback(query: str) -> None:
    app = Express()
    app.get("/leave", lambda req, res: res.safe_redirect(req.query.get("next")))
    answer = await ask(app, f"/leave?{query}")
    assert (answer.status, answer.headers["location"]) == (302, "/")


async def test_what_post_match_refuses_the_route_cannot_take_up_again() -> None:
    app = Express()

    @app.post_match
    def guard(req: Any, res: Any, next: Any) -> None:
        raise HTTPError(403)

    app.get("/", lambda err, req, res, next: next(), lambda: "the secret")
    answer = await ask(app)
    assert (answer.status, "secret" in answer.text) == (403, False)
    with pytest.raises(TypeError, match=r"is an error handler; use\(\) takes those"):
        app.post_match(lambda err, req, res, next: next())


async def test_a_factory_that_was_not_called_is_an_error_with_words(caplog: pytest.LogCaptureFixture) -> None:
    app = Express()
    app.use("/json", express.json)
    app.get("/class", lambda: Starlette)
    for path in ("/json", "/class"):
        assert (await ask(app, path)).status == 500
    assert caplog.text.count("was it to be called when it was registered?") == 2


class Controller:
    def __call__(self, req: Any, res: Any, next: Any) -> None: ...


async def generates(req: Any, res: Any) -> Any:
    yield 1


NO_PORT: Any = "abc"

REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: Express(trust_prox=1), TypeError, "there is no setting 'trust_prox'"),
    (lambda: Router().get("/", generates), TypeError, "is an async generator"),
    (lambda: Router().get("/", Controller()), TypeError, "pass the method"),
    (lambda: Express().listen(NO_PORT), ValueError, "the port must be a number"),
    (lambda: Express().listen(70_000), ValueError, "the port must be a number"),
]


@pytest.mark.parametrize(("make", "error", "words"), REFUSED)
def test_a_mistake_has_words_where_it_is_made(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


async def test_a_middleware_that_fails_after_the_head_went_out_does_not_spoil_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Breaks:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def send_broken(message: Any) -> None:
                await send(message)
                raise ValueError("after the head")

            await next_app(scope, receive, send_broken)

    app = Express()
    app.use(Breaks())
    app.get("/", lambda: "x")
    assert (await ask(app)).text == "x"
    assert "after the head" in caplog.text


PROGRAM = """
import asgi_express as express
from asgi_express import Express, Next, Request, Response, Router

app = Express()
app.use(express.json(), express.text(), express.raw(), express.urlencoded(), express.multipart())
app.use("/static", express.static("."))
router = Router()


@router.get("/:id")
async def show(req: Request, res: Response, next: Next) -> None:
    await next()
    res.status(200).json({"id": req.params["id"]})


@app.use()
def log(req: Request, res: Response, next: Next) -> None:
    next()


app.use("/users", router).get("/", lambda req, res: res.send("x"))
"""


def test_a_typed_program_of_a_user_is_accepted_by_mypy(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


# -- what was sped up


class GivesUp:
    """Cancels what follows as soon as it is told to, and does nothing about it, or raises."""

    def __init__(self, reached: asyncio.Event, error: Exception | None = None) -> None:
        self.reached = reached
        self.error = error

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.give_up(next_app(scope, receive, send))

    async def handler(self, req: Any, res: Any, next: Any) -> None:
        await self.give_up(next())

    async def give_up(self, rest: Any) -> None:
        following = asyncio.ensure_future(rest)
        await self.reached.wait()
        following.cancel()
        await asyncio.wait([following])
        if self.error:
            raise self.error


def hangs(reached: asyncio.Event, text: str | None = None) -> Any:
    async def hang(req: Any, res: Any) -> None:
        if text is not None:
            res.send(text)
        reached.set()
        await asyncio.get_running_loop().create_future()

    return hang


@pytest.mark.parametrize("text", [None, "decided"])
@pytest.mark.parametrize("kind", ["function", "class"])
async def test_a_middleware_that_cancels_what_follows_and_says_nothing_leaves_no_request_without_an_answer(
    kind: str, text: str | None
) -> None:
    reached = asyncio.Event()
    app = Express(env="test")
    middleware = GivesUp(reached)
    app.use(middleware if kind == "class" else middleware.handler)
    app.get("/", hangs(reached, text))
    answer = await ask(app)
    assert (answer.status, answer.complete) == (500 if text is None else 200, True)
    assert text is None or answer.text == text


@pytest.mark.parametrize(("at", "path"), [("/", "/api/slow"), ("/api", "/api/slow"), ("/api/slow", "/api/slow?x=1")])
@pytest.mark.parametrize("outside", ["", "/v1"])
async def test_the_error_of_a_handler_whose_await_next_was_cancelled_goes_on_by_the_path_of_the_request(
    outside: str, at: str, path: str
) -> None:
    reached = asyncio.Event()
    seen: list[Any] = []
    target, sub = Router(), Router()
    app = target
    if outside:
        app = Router()
        app.use(outside, target)
    target.use(at, GivesUp(reached, TimeoutError("too late")).handler)
    sub.get("/slow", hangs(reached))
    sub.use(lambda err, req, res, next: seen.append("the error is from outside of this router"))
    target.use("/api", sub)

    @app.use()
    def note(err: Any, req: Any, res: Any, next: Any) -> None:
        seen.append((str(err), req.url, req.base_url))
        next(err)

    app.use(f"{outside}/api/slow", lambda err, req, res, next: res.status(503).send("late"))
    answer = await ask(app, outside + path)
    assert seen == [("too late", outside + path, "")]
    assert (answer.status, answer.text) == (503, "late")


async def test_the_error_of_a_param_callback_whose_await_next_was_cancelled_reaches_the_error_handlers() -> None:
    reached = asyncio.Event()
    app = Router()
    given = GivesUp(reached, TimeoutError("too late"))

    @app.param("id")
    async def load(req: Any, res: Any, next: Any, value: Any) -> None:
        await given.give_up(next())

    app.get("/:id", hangs(reached))
    app.use(lambda err, req, res, next: res.status(503).send(f"{err} {req.url}"))
    answer = await ask(app, "/7")
    assert (answer.status, answer.text) == (503, "too late /7")


@pytest.mark.parametrize("cancelled_in", ["its route", "another router"])
async def test_a_handler_of_a_route_that_has_been_left_can_still_answer_after_a_cancelled_await_next(
    cancelled_in: str,
) -> None:
    reached = asyncio.Event()
    app, sub = Router(), Router()
    own = sub if cancelled_in == "another router" else app
    own.get("/*rest", GivesUp(reached, TimeoutError("too late")).handler)
    app.use(sub)
    app.get("/slow", hangs(reached))
    app.use("/slow", lambda err, req, res, next: res.status(503).send(f"{err} {req.base_url}"))
    answer = await ask(app, "/slow")
    assert (answer.status, answer.text) == (503, "too late /slow")


async def test_a_task_that_is_left_behind_does_not_keep_the_scope_of_a_middleware_for_those_around_it() -> None:
    reached = asyncio.Event()
    left: list[asyncio.Future[Any]] = []
    seen: list[Any] = []

    class Adds:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await next_app({**scope, "headers": [*scope["headers"], (b"x-added", b"1")]}, receive, send)

    class Hangs:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            reached.set()
            await asyncio.get_running_loop().create_future()

    app = Express()

    @app.use()
    async def around(req: Any, res: Any, next: Any) -> None:
        await GivesUp(reached).give_up(next())
        seen.append(req.get("X-Added"))
        res.send("given up")

    app.use(Adds())

    @app.use()
    async def leave(req: Any, res: Any, next: Any) -> None:
        seen.append(req.get("X-Added"))
        left.append(asyncio.ensure_future(next()))
        await asyncio.wait(left)

    app.use(Hangs())
    assert (await ask(app)).text == "given up"
    assert seen == ["1", None]
    left[0].cancel()
    await asyncio.wait(left)


@pytest.mark.parametrize("params", [None, {"tenant": "a"}])
async def test_who_forgets_no_match_leaves_the_parameters_of_the_host_alone(params: Any) -> None:
    inner = Router(raise_errors=True)
    inner.use(lambda req, res: req.nothing)

    class Inside:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await inner(scope, receive, send)

    app = Router()
    app.use(Inside())
    app.use(lambda err, req, res, next: next())
    app.use(lambda req, res: res.json(req.scope.get("path_params")))
    assert (await ask(app, **({} if params is None else {"path_params": params}))).json == params


@pytest.mark.parametrize("ends", ["is thrown away", "fails"])
async def test_what_a_router_in_a_middleware_has_matched_is_not_the_match_of_what_comes_after_it(ends: str) -> None:
    inner = Router(raise_errors=True)
    seen: list[Any] = []

    @inner.get("/a")
    def show(req: Any, res: Any) -> None:
        assert "asgi_express.match" in req.scope
        if ends == "fails":
            raise ValueError(ends)
        res.status(404).send("not here")

    class First:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            messages = []

            async def keep(message: Any) -> None:
                messages.append(message)

            await inner(scope, receive, keep)
            assert messages[0]["status"] == 404
            await next_app(scope, receive, send)

    app = Router()
    app.use(First())
    app.use(lambda err, req, res, next: next())

    @app.use()
    def note(req: Any, res: Any, next: Any) -> None:
        seen.append("asgi_express.match" in req.scope)
        next()

    assert (await ask(app, "/a")).status == 404
    assert seen == [False]


async def test_a_router_in_a_middleware_leaves_the_walk_around_it_in_the_scope() -> None:
    class Passes:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await next_app(scope, receive, send)

    inner = Router(raise_errors=True)
    inner.use(Passes())
    inner.get("/", lambda req, res: req.nothing)

    class Tries:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            with pytest.raises(AttributeError):
                await inner(scope, receive, send)
            await next_app(scope, receive, send)

    app = Router()
    app.use(Tries())
    app.get("/", lambda req, res: res.send("the second"))
    assert (await ask(app)).text == "the second"


async def test_an_error_may_ask_for_chunks_and_then_has_no_length() -> None:
    app = Express(env="test")

    @app.get("/")
    def fail(req: Any, res: Any) -> None:
        raise HTTPError(503, headers={"Transfer-Encoding": "chunked"})

    headers = (await ask(app)).headers
    assert headers["transfer-encoding"] == "chunked"
    assert "content-length" not in headers


async def test_a_request_without_a_url_is_for_nobody() -> None:
    app = Router()

    @app.use()
    def forget(req: Any, res: Any, next: Any) -> None:
        req.url = None
        next()

    app.get("/", lambda req, res: res.send("here"))
    assert (await ask(app)).status == 404


@pytest.mark.parametrize("case", ["alone", "around the stack", "copies the scope", "an error", "in Starlette"])
async def test_nothing_of_a_request_waits_for_the_collector_of_garbage(case: str) -> None:
    class Passes:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await next_app(dict(scope) if case == "copies the scope" else scope, receive, send)

    app, sub = Express(env="test"), Router()
    if case != "alone":
        app.use(Passes(), Passes())
    app.use("/sub", sub)
    sub.get("/:id", lambda req, res: res.send(req.params["id"] if case != "an error" else req.nothing))
    host = Starlette(routes=[Mount("/m", app)]) if case == "in Starlette" else app
    scope = http_scope("/m/sub/7" if case == "in Starlette" else "/sub/7")
    statuses: list[int] = []

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def request() -> None:
        await host({**scope}, receive, send)

    await request()
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            await request()
        left = gc.collect()
    finally:
        gc.enable()
    assert statuses == [500 if case == "an error" else 200] * 6
    assert left == 0


async def test_a_firewall_refuses_a_request_whose_walk_is_over() -> None:
    class Passes:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await next_app(scope, receive, send)

    app = Router()
    app.use(Passes())
    firewall = EndpointFirewall()

    async def cascade(scope: Any, receive: Any, send: Any) -> None:
        async def drop(message: Any) -> None:
            del message

        await app(scope, receive, drop)
        await firewall(scope, receive, send)

    assert (await ask(cascade)).status in (401, 403)

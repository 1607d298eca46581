"""What a hostile review has found, each with the attack that found it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

import asgi_express as express
from asgi_express import Express, HTTPError, Router, next_app, session
from tests.asgi import Client, ask


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

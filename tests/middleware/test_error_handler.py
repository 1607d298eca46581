"""Errors of any app: their status, what the client may know, what is logged, and what cannot be answered any more."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_express import BodyError, Express, HTTPError
from asgi_express.middleware.error_handler import ErrorHandler
from tests.asgi import Answer, Socket, ask

HTML, JSON = {"accept": "text/html,*/*;q=0.8"}, {"accept": "application/json"}
NOBODY: Any = None
SECRET = "secret: the password is 'swordfish'"


class Odd(Exception):
    """An error with any attributes."""

    def __init__(self, message: str = SECRET, **attributes: Any) -> None:
        super().__init__(message)
        self.__dict__.update(attributes)


def raising(error: BaseException) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    return app


def test_a_hook_that_cannot_be_called_is_refused() -> None:
    word: Any = "log"
    with pytest.raises(ValueError, match=r"on_error is a function of \(error, scope\), not 'log'"):
        ErrorHandler(on_error=word)


# -- status and detail


def problem(status: int, title: str, **more: Any) -> dict[str, Any]:
    return {"type": "about:blank", "title": title, "status": status, **more}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Odd(), problem(500, "Internal Server Error")),
        (HTTPError(404), problem(404, "Not Found")),
        (HTTPError(404, "no such user"), problem(404, "Not Found", detail="no such user")),
        (HTTPError(404, SECRET, expose=False), problem(404, "Not Found")),
        (HTTPError(503, SECRET), problem(503, "Service Unavailable")),
        (HTTPError(503, "soon", expose=True), problem(503, "Service Unavailable", detail="soon")),
        (
            BodyError(413, "too large", type="entity.too.large"),
            problem(413, "Payload Too Large", code="entity.too.large", detail="too large"),
        ),
        (HTTPException(401), problem(401, "Unauthorized")),
        (HTTPException(418, "tea only"), problem(418, "I'm a Teapot", detail="tea only")),
        (HTTPException(500, SECRET), problem(500, "Internal Server Error")),
        (Odd(status_code=422, detail=[{"loc": "x"}]), problem(422, "Unprocessable Entity", errors=[{"loc": "x"}])),
        (Odd(status_code=422, detail={"x": object()}), problem(422, "Unprocessable Entity")),
        (Odd(status_code=422), problem(422, "Unprocessable Entity")),
        (Odd(status=HTTPStatus.CONFLICT), problem(409, "Conflict")),
        (Odd(status=404), problem(404, "Not Found")),
        (Odd(status=404, expose=True, message="gone"), problem(404, "Not Found", detail="gone")),
        (Odd("gone", status=404, expose=True), problem(404, "Not Found", detail="gone")),
        (Odd(status=404, expose="yes"), problem(404, "Not Found")),
        (Odd(status=200), problem(500, "Internal Server Error")),
        (Odd(status="404"), problem(500, "Internal Server Error")),
        (Odd(status=True, status_code=404), problem(404, "Not Found")),
        (Odd(status=299, status_code=404), problem(404, "Not Found")),
        (Odd(status=599, type="secret.type"), problem(599, "599")),
        (Odd(status=404, type=7), problem(404, "Not Found")),
        (ExceptionGroup("a", [ExceptionGroup("b", [HTTPError(404)])]), problem(404, "Not Found")),
        (ExceptionGroup("a", [HTTPError(404), Odd()]), problem(500, "Internal Server Error")),
    ],
)
async def test_the_status_is_the_errors_and_the_detail_only_if_it_is_made_for_clients(
    error: Exception, expected: dict[str, Any]
) -> None:
    answer = await ask(ErrorHandler(raising(error), log=False), headers=JSON)
    assert (answer.status, answer.json) == (expected["status"], expected)
    assert answer.headers["content-type"] == "application/problem+json"
    page = await ask(ErrorHandler(raising(error), log=False), headers=HTML)
    assert (page.status, "secret" in page.text + answer.text) == (expected["status"], False)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/problem+json"),
        ("*/*", "application/problem+json"),
        ("", "application/problem+json"),
        ("application/json, text/plain, */*", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("image/png", "application/problem+json"),
        ("text/html;q=0.5, application/json", "application/problem+json"),
        ("text/html", "text/html; charset=utf-8"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
    ],
)
async def test_who_prefers_html_gets_a_page(accept: str | None, kind: str) -> None:
    headers = {} if accept is None else {"accept": accept}
    answer = await ask(ErrorHandler(raising(HTTPError(404)), log=False), headers=headers)
    assert answer.headers["content-type"] == kind
    assert (answer.headers["vary"], answer.headers["x-content-type-options"]) == ("Accept", "nosniff")
    assert int(answer.headers["content-length"]) == len(answer.body) > 0


async def test_the_page_is_expresss_and_nothing_in_it_is_markup() -> None:
    error = HTTPError(404, "<script>alert(1)</script>\n  end")
    answer = await ask(ErrorHandler(raising(error), log=False), headers=HTML)
    assert "<pre>&lt;script&gt;alert(1)&lt;/script&gt;<br> &nbsp;end</pre>" in answer.text
    assert answer.headers["content-security-policy"] == "default-src 'none'"
    assert answer.text.startswith('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">')


async def test_the_headers_of_the_error_are_sent_but_those_of_a_body_that_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    headers = {
        "WWW-Authenticate": "Bearer",
        "Content-Length": "1",
        "Content-Type": "text/x",
        "X-Bad": "a\r\nb",
        "X-N": 1,
    }
    for error in (Odd(status=401, headers=headers), HTTPException(401, headers=headers)):  # type: ignore[arg-type]  # 1 is no str
        answer = await ask(ErrorHandler(raising(error)), headers=JSON)
        names = [name for name, _ in answer.raw_headers]
        assert (answer.headers["www-authenticate"], answer.headers["x-n"]) == ("Bearer", "1")
        assert (names.count(b"content-length"), names.count(b"content-type"), b"x-bad" in names) == (1, 1, False)
        assert "a header that may not be sent" in caplog.text
    answer = await ask(ErrorHandler(raising(Odd(headers=headers)), log=False))
    assert "www-authenticate" not in answer.headers
    answer = await ask(ErrorHandler(raising(Odd(status=404, headers=[1])), log=False))
    assert answer.status == 404


async def test_an_answer_to_head_has_no_body() -> None:
    answer = await ask(ErrorHandler(raising(HTTPError(404)), log=False), "/", "HEAD")
    assert (answer.body, answer.headers["content-length"]) == (b"", "55")


# -- development


@pytest.mark.parametrize(("env", "debug", "shown"), [
    (None, None, False),
    ("production", None, False),
    ("development", None, True),
    ("debug", None, True),
    ("development", False, False),
    (None, True, True),
])  # fmt: skip
async def test_only_development_shows_the_traceback(
    env: str | None, debug: bool | None, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASGI_EXPRESS_ENV", raising=False)
    if env is not None:
        monkeypatch.setenv("ASGI_EXPRESS_ENV", env)
    app = ErrorHandler(raising(Odd()), debug=debug, log=False)
    answer = await ask(app, headers=JSON)
    assert ("swordfish" in answer.text, "traceback" in answer.json) == (shown, shown)
    page = await ask(app, "/x<y>", headers={**HTML, "cookie": "id=7"})
    assert ("swordfish" in page.text, "in raising" in page.text) == (shown, shown)
    assert ("/x&lt;y&gt;" in page.text or "%3Cy%3E" in page.text, "id=7" in page.text) == (shown, False)


# -- the log


async def test_a_servers_fault_is_logged_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    await ask(ErrorHandler(raising(Odd())), "/a%0Ab")
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", r"GET /a\nb: Odd")
    assert record.exc_info is not None


async def test_a_clients_fault_is_one_line_without_control_characters(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    await ask(ErrorHandler(raising(HTTPError(400, "bad\r\n2026 forged\x1b[1m\u2028"))), "/x")
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("INFO", None)
    assert record.getMessage() == r"GET /x: 400 bad\r\n2026 forged\x1b[1m\u2028"
    caplog.clear()
    await ask(ErrorHandler(raising(Odd()), log=False))
    assert caplog.records == []


# -- the hook


async def test_the_hook_sees_every_error_and_may_answer_instead(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []

    def note(error: Exception, scope: Any) -> None:
        seen.append((error, scope["path"]))

    error = Odd()
    assert (await ask(ErrorHandler(raising(error), on_error=note), "/a")).status == 500

    async def answer_instead(error: Exception, scope: Any) -> Any:
        return PlainTextResponse(f"sorry, {error}", 418)

    answer = await ask(ErrorHandler(raising(Odd("you")), on_error=answer_instead))
    assert (answer.status, answer.text, seen) == (418, "sorry, you", [(error, "/a")])
    assert len(caplog.records) == 2


@pytest.mark.parametrize("log", [True, False])
async def test_a_hook_that_fails_is_logged_and_the_usual_answer_goes_out(
    log: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(error: Exception, scope: Any) -> Any:
        raise ZeroDivisionError

    answer = await ask(ErrorHandler(raising(HTTPError(404)), on_error=fail, log=log))
    assert (answer.status, "on_error failed" in caplog.text) == (404, True)
    answer = await ask(ErrorHandler(raising(HTTPError(404)), on_error=lambda *_: raising(Odd()), log=log))
    assert (answer.status, "the app that on_error returned failed" in caplog.text) == (404, True)

    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask(ErrorHandler(raising(HTTPError(404)), on_error=lambda *_: half, log=log))


# -- what cannot be answered


async def test_once_the_answer_has_begun_the_error_is_its_hosts_and_not_logged_here(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError("late")

    answer = Answer()
    with pytest.raises(LookupError, match="late"):
        await ask(ErrorHandler(app), answer=answer)
    assert (len(answer.messages), caplog.records) == (1, [])


async def test_an_early_hint_does_not_begin_the_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.early_hint", "links": []})
        raise LookupError

    answer = await ask(ErrorHandler(app, log=False))
    assert [message["type"] for message in answer.messages][1:] == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit()])
async def test_what_is_no_exception_passes(error: BaseException) -> None:
    answer = Answer()
    with pytest.raises(type(error)):
        await ask(ErrorHandler(raising(error)), answer=answer)
    assert answer.messages == []


@pytest.mark.parametrize("kind", ["lifespan", "telegram"])
async def test_other_scopes_pass_and_so_do_their_errors(kind: str) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append((scope, receive, send))

    await ErrorHandler(app)({"type": kind}, NOBODY, NOBODY)
    assert scopes == [({"type": kind}, NOBODY, NOBODY)]
    with pytest.raises(LookupError):
        await ErrorHandler(raising(LookupError()))({"type": kind}, NOBODY, NOBODY)


async def test_an_answer_passes_as_it_is() -> None:
    answer = await ask(ErrorHandler(PlainTextResponse("hello", 404)))
    assert (answer.status, answer.text) == (404, "hello")


# -- WebSockets


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(Odd(), 500, 1011), (HTTPError(401), 401, 1008), (HTTPError(503), 503, 1013), (HTTPError(504), 504, 1011)],
)
async def test_a_websocket_that_is_not_accepted_is_refused(error: Exception, status: int, code: int) -> None:
    app = ErrorHandler(raising(error), log=False)
    assert (await Socket().connect(app)).sent == [{"type": "websocket.close", "code": code}]
    socket = await Socket().connect(app, denial=True)
    assert socket.types == ["websocket.http.response.start", "websocket.http.response.body"]
    assert (socket.sent[0]["status"], json.loads(socket.sent[1]["body"])["status"]) == (status, status)


async def test_a_websocket_fails_in_development_like_a_request(caplog: pytest.LogCaptureFixture) -> None:
    app = ErrorHandler(raising(Odd()), debug=True)
    socket = await Socket().connect(app, denial=True, headers=HTML)
    assert b"swordfish" in socket.sent[1]["body"]
    assert caplog.records[0].getMessage() == "WEBSOCKET /: Odd"


async def test_an_accepted_websocket_is_its_hosts_to_close() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        raise LookupError

    with pytest.raises(LookupError):
        await Socket().connect(ErrorHandler(app))


# -- in hosts; the examples of the documentation


async def test_the_default_example() -> None:
    app = FastAPI()
    app.add_middleware(ErrorHandler)

    @app.get("/fails")
    def fails() -> None:
        raise LookupError(SECRET)

    @app.get("/refuses")
    def refuses() -> None:
        raise HTTPError(409, "already there")

    answer = await ask(app, "/fails")
    assert (answer.status, answer.json) == (500, problem(500, "Internal Server Error"))
    assert (await ask(app, "/refuses")).json == problem(409, "Conflict", detail="already there")


async def test_the_customised_example() -> None:
    reported: list[str] = []

    def report(error: Exception) -> None:
        reported.append(str(error))

    async def fails(request: Any) -> None:
        raise LookupError("one")

    app = Starlette(routes=[Route("/", fails)])
    app.add_middleware(ErrorHandler, on_error=lambda error, scope: report(error), debug=True)
    answer = await ask(app)
    assert (answer.json["error"], answer.json["message"], reported) == ("LookupError", "one", ["one"])


async def test_in_a_router_it_answers_what_no_error_handler_has_answered() -> None:
    app = Express(raise_errors=True)
    app.use("/api", ErrorHandler(log=False))

    def fail(req: Any, res: Any) -> None:
        raise HTTPError(404, "no such thing")

    def is_answered(err: Any, req: Any, res: Any, next: Any) -> Any:
        return res.send("handled") if req.path == "/handled" else next(err)

    app.get("/api/fails", fail)
    app.get("/api/handled", fail)
    app.use("/api", is_answered)
    assert (await ask(app, "/api/fails")).json == problem(404, "Not Found", detail="no such thing")
    assert (await ask(app, "/api/handled")).text == "handled"

"""The last word: 404 and 500 as finalhandler says them, and what is logged."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from asgi_express import Express, HTTPError, Router
from tests.asgi import Answer, ask
from tests.cases import HOSTILE


def page(text: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>{text}</pre>\n</body>\n</html>\n"
    )


async def failing(error: Any, method: str = "GET", **settings: Any) -> Answer:
    app = Express(**{"env": "test", **settings})
    app.use(lambda req, res, next: next(error))
    return await ask(app, method=method)


@pytest.mark.parametrize(
    ("method", "target", "text"),
    [
        ("GET", "/", "Cannot GET /"),
        ("POST", "/a/b?secret=1", "Cannot POST /a/b"),
        ("GET", "/%3Cscript%3E", "Cannot GET /%3Cscript%3E"),
        ("GET", "/a&b'c", "Cannot GET /a&amp;b&#39;c"),
        ("GET", "/a\\b", "Cannot GET /a\\b"),
        ("GET", "/a%0D%0Ab", "Cannot GET /a%0D%0Ab"),
        ("GET", "/a#b", "Cannot GET /a"),
        ("GET", "//evil", "Cannot GET //evil"),
        ("GET", "http://host/a?b", "Cannot GET /a"),
        ("GET", "http://host?b", "Cannot GET /"),
        ("GET", "http://host", "Cannot GET /"),
        ("GET", "/a://b", "Cannot GET /a://b"),
        ("<B>", "/", "Cannot &lt;B&gt; /"),
    ],
)
async def test_what_nobody_answers_is_404_and_names_method_and_path(method: str, target: str, text: str) -> None:
    answer = await ask(Express(), target, method)
    assert answer.status == 404
    assert answer.text == page(text)
    assert answer.headers == {
        "x-powered-by": "Express",
        "content-security-policy": "default-src 'none'",
        "x-content-type-options": "nosniff",
        "content-type": "text/html; charset=utf-8",
        "content-length": str(len(answer.body)),
    }


async def test_the_path_in_a_404_is_the_one_that_was_asked_for() -> None:
    outer = Router().use("/a", Router().use(lambda req, res, next: (setattr(req, "url", "/changed"), next())[1]))
    assert "Cannot GET /v1/a/b" in (await ask(outer, "/v1/a/b", root_path="/v1")).text


@pytest.mark.parametrize("method", ["HEAD"])
async def test_an_error_page_for_head_has_headers_only(method: str) -> None:
    get, head = await failing("x"), await failing("x", "HEAD")
    assert (head.status, head.headers, head.body) == (500, get.headers, b"")


@pytest.mark.parametrize(
    ("error", "status", "phrase"),
    [
        (ValueError("secret"), 500, "Internal Server Error"),
        ("secret", 500, "Internal Server Error"),
        ({"secret": 1}, 500, "Internal Server Error"),
        (HTTPError(404, "secret"), 404, "Not Found"),
        (HTTPError(599, "secret"), 599, "599"),
        (HTTPException(403, "secret"), 403, "Forbidden"),
        (SimpleNamespace(status=404), 404, "Not Found"),
        (SimpleNamespace(status=200, status_code=410), 410, "Gone"),
        (SimpleNamespace(status="404"), 500, "Internal Server Error"),
        (SimpleNamespace(status=True), 500, "Internal Server Error"),
        (SimpleNamespace(status=600, status_code=99), 500, "Internal Server Error"),
    ],
)
async def test_an_error_is_answered_with_its_status_and_no_more_than_the_phrase(
    error: Any, status: int, phrase: str
) -> None:
    answer = await failing(error)
    assert (answer.status, answer.text) == (status, page(phrase))
    assert "secret" not in answer.text


@pytest.mark.parametrize(("before", "status"), [(503, 503), (404, 404), (200, 500), (302, 500), (600, 500), (101, 500)])
async def test_an_error_without_a_status_takes_that_of_the_response_if_it_is_an_errors(
    before: int, status: int
) -> None:
    app = Express(env="test")
    app.get("/", lambda req, res, next: (res.status(before), next("error"))[1])
    assert (await ask(app)).status == status


async def test_headers_that_were_set_are_kept_but_not_those_of_the_body_that_is_gone() -> None:
    app = Express(env="test")

    def handler(req: Any, res: Any, next: Any) -> None:
        kept = {"Set-Cookie": ["a=1", "b=2"], "ETag": '"x"', "X-Mine": "1", "Cache-Control": "no-store"}
        lost = {"Content-Encoding": "gzip", "Content-Language": "de", "Content-Range": "bytes */5"}
        res.set(kept).set(lost).set("Content-Type", "text/plain").set("Content-Length", 5)
        res.set("Content-Security-Policy", "default-src *")
        next("error")

    app.get("/", handler)
    answer = await ask(app)
    assert {name: value for name, value in answer.headers.items() if not name.startswith(("x-p", "x-c"))} == {
        "set-cookie": "a=1, b=2",
        "etag": '"x"',
        "x-mine": "1",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'",
        "content-type": "text/html; charset=utf-8",
        "content-length": str(len(answer.body)),
    }


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (HTTPError(429, headers={"Retry-After": "5"}), "5"),
        (HTTPException(429, headers={"Retry-After": "5"}), "5"),
        (HTTPError(429, headers={"Retry-After": "5", "Content-Type": "text/plain", "Content-Length": "1"}), "5"),
        (SimpleNamespace(headers={"Retry-After": "5"}), None),
        (SimpleNamespace(status=429, headers=None), None),
        (SimpleNamespace(status=429, headers=[("Retry-After", "5")]), None),
        (SimpleNamespace(status=429, headers="Retry-After"), None),
        (SimpleNamespace(status=429, headers=5), None),
    ],
)
async def test_headers_of_an_error_are_sent_if_its_status_is_its_own(error: Any, sent: str | None) -> None:
    answer = await failing(error)
    assert answer.headers.get("retry-after") == sent
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize(
    "headers",
    [{"X-Bad": "a\r\nb"}, {"X\r\n": "a"}, {"Content-Type": ["a/b"]}, {"Content-Length": "x"}, {5: "x"}, {"X": None}],
)
async def test_a_bad_header_of_an_error_is_logged_and_left_out(
    headers: dict[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    answer = await failing(SimpleNamespace(status=418, headers={**headers, "X-Good": "1"}))
    assert (answer.status, answer.headers["x-good"]) == (418, "1")
    assert "an error has a header that may not be sent" in caplog.text


async def test_an_error_page_is_sent_however_many_headers_there_are() -> None:
    app = Express(env="test")

    def handler(req: Any, res: Any) -> None:
        for number in range(300):
            res.set(f"X-{number}", "1")

    app.get("/", handler)
    answer = await ask(app)
    assert (answer.status, answer.text) == (500, page("Internal Server Error"))


# -- development


async def test_development_shows_the_traceback_escaped() -> None:
    answer = await failing(ValueError("<script>alert(1)</script>"), env="development")
    assert answer.status == 500
    assert "ValueError" in answer.text
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in answer.headers


async def test_development_tells_a_client_that_wants_json_in_json() -> None:
    app = Express(env="development")
    app.get("/", lambda: 1 / 0)
    answer = await ask(app, headers={"accept": "application/json"})
    assert (answer.status, answer.headers["content-type"]) == (500, "application/json; charset=utf-8")
    assert "ZeroDivisionError" in answer.text


async def test_development_shows_an_error_that_is_no_exception_as_text() -> None:
    answer = await failing("two  spaces\n<b>", env="development")
    assert answer.text == page("two &nbsp;spaces<br>&lt;b&gt;")


@pytest.mark.parametrize("env", ["production", "test", "staging", ""])
async def test_no_other_environment_shows_anything(env: str) -> None:
    answer = await failing(ValueError("secret"), env=env)
    assert answer.text == page("Internal Server Error")


async def test_a_router_alone_is_in_production() -> None:
    router = Router()
    router.get("/", lambda: 1 / 0)
    assert (await ask(router)).text == page("Internal Server Error")


# -- the log


async def test_a_servers_fault_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("mine")
    await failing(error, env="production")
    [record] = caplog.records
    assert (record.levelname, record.name, record.getMessage()) == ("ERROR", "asgi_express", "GET /: ValueError")
    assert record.exc_info is not None
    assert record.exc_info[1] is error


async def test_an_error_that_is_no_exception_is_logged_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    await failing("mine\n", env="production")
    assert [record.getMessage() for record in caplog.records] == ["GET /: 'mine\\n'"]


@pytest.mark.parametrize("error", [HTTPError(404, "mine"), HTTPException(404, "mine")])
async def test_a_clients_fault_is_one_line_of_information(error: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "asgi_express"):
        await failing(error, env="production")
    [record] = caplog.records
    assert (record.levelname, record.exc_info) == ("INFO", None)
    assert record.getMessage().startswith("GET /: 404")
    assert record.getMessage().endswith("mine")


@pytest.mark.parametrize("target", ["/nothing", "/%zz"])
async def test_a_404_and_the_environment_test_log_nothing(target: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "asgi_express"):
        await ask(Express(), "/nothing")
        await failing(ValueError("x"), env="test")
        await failing(HTTPError(404), env="test")
    assert caplog.records == []


HOSTILE_TEXT = "\r\nERROR faked\x1b[2J\x00\x85\u2028\u202e\ud800é%s%(x)s{0}${jndi:x}"


@pytest.mark.parametrize("status", [400, 500])
async def test_no_client_can_write_lines_or_colours_into_the_log(status: int, caplog: pytest.LogCaptureFixture) -> None:
    # the message of a server's fault is part of its traceback, which has lines of its own
    app = Express()
    app.use(lambda req, res, next: next(HTTPError(status, HOSTILE_TEXT if status < 500 else "mine")))
    with caplog.at_level(logging.INFO, "asgi_express"):
        raw = HOSTILE_TEXT.encode("utf-8", "surrogatepass")
        answer = await ask(app, "/", "GET\r\nX", path="/" + HOSTILE_TEXT, raw_path=b"/" + raw, query_string=raw)
    assert answer.status == status
    [record] = caplog.records
    assert record.getMessage().isascii()
    assert record.getMessage().isprintable()


async def test_a_long_url_or_message_is_cut_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    app = Express()
    app.use(lambda req, res, next: next(HTTPError(400, "é" * HOSTILE)))
    with caplog.at_level(logging.INFO, "asgi_express"):
        await ask(app, "/" + "a" * HOSTILE)
    assert len(caplog.records[0].getMessage()) < 2200

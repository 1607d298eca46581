"""What a client sees of an error: everything in development, nothing in production."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from asgi_express import Express, HTTPError, Request, Response
from tests.asgi import Answer, ask

SECRET = "hunter2-in-the-message"
HTML = "text/html; charset=utf-8"
JSON = "application/json; charset=utf-8"


class Unreadable(Exception):
    """An error that cannot be told of."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def fail(req: Request, res: Response) -> None:
    local_variable = SECRET  # the source around a frame is shown, values of variables are not
    raise LookupError(f"no row: {local_variable}")


def chained(req: Request, res: Response) -> None:
    try:
        try:
            int("seven")
        except ValueError:
            {}["key"]  # type: ignore[index]
    except KeyError as error:
        raise LookupError("outermost") from error


def recursing(req: Request, res: Response) -> None:
    recursing(req, res)


def generated(req: Request, res: Response) -> None:
    exec("raise LookupError('from no file')")


def looping(req: Request, res: Response) -> None:
    first, second = LookupError("first"), LookupError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def hiding(req: Request, res: Response) -> None:
    try:
        raise KeyError("hidden cause")
    except KeyError:
        raise LookupError("alone") from None


def raising(error: BaseException) -> Callable[[Request, Response], None]:
    def handler(req: Request, res: Response) -> None:
        raise error

    return handler


async def failing(
    handler: Callable[..., Any] = fail, env: str = "development", target: str = "/", **asked: Any
) -> Answer:
    app = Express(env=env)
    app.get("/", handler)
    app.get("/users/:id", handler)
    return await ask(app, target, **asked)


def text_of(page: str) -> str:
    """Return what is to be read on a page."""
    return html.unescape(re.sub(r"<[^>]*>", "", page))


# -- production


@pytest.mark.parametrize("env", ["production", "test", "staging", ""])
@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (LookupError(SECRET), 500, "Internal Server Error"),
        (HTTPError(503, SECRET), 503, "Service Unavailable"),
        (HTTPError(404, SECRET), 404, "Not Found"),
        (HTTPError(400, SECRET, expose=True), 400, "Bad Request"),
        (Unreadable(), 500, "Internal Server Error"),
    ],
)
async def test_outside_development_an_error_says_no_more_than_its_status(
    env: str, accept: str, error: Exception, status: int, words: str
) -> None:
    answer = await failing(raising(error), env, headers={"accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (status, HTML)
    assert answer.headers["content-security-policy"] == "default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert f"<pre>{words}</pre>" in answer.text
    everything = answer.text + str(answer.raw_headers)
    for leak in (SECRET, "Traceback", "LookupError", "Unreadable", __file__, ".py", "File "):
        assert leak not in everything


async def test_an_error_given_to_next_leaks_no_more(caplog: pytest.LogCaptureFixture) -> None:
    app = Express()
    app.use(lambda req, res, next: next({"password": SECRET}))
    answer = await ask(app)
    assert answer.status == 500
    assert SECRET not in answer.text
    assert SECRET in caplog.text


# -- the page of development


async def test_the_page_shows_the_error_the_source_around_it_and_the_request() -> None:
    answer = await failing(target="/users/7?x=%3Cb%3E", headers={"x-shown": "a value", "host": "h.test"})
    assert (answer.status, answer.headers["content-type"]) == (500, HTML)
    assert answer.headers["x-content-type-options"] == "nosniff"
    page = text_of(answer.text)
    for part in (
        f"500 LookupError: no row: {SECRET}",
        "GET /users/7?x=%3Cb%3E",
        'raise LookupError(f"no row: {local_variable}")',
        "Traceback (most recent call last):",
        "in fail",
        "x-showna value",
        "route/users/:id",
        "params{'id': '7'}",
    ):
        assert part in page
    marked = re.findall(r'<span class="at">(.*?)</span>', answer.text)
    assert any("raise LookupError" in line for line in marked)
    assert answer.text.count("<details open>") == 1
    assert answer.text.index("in fail") < answer.text.index("_dispatch.py")


async def test_the_page_may_run_its_own_script_and_style_and_nothing_else() -> None:
    first, second = await failing(), await failing()
    nonces = []
    for answer in (first, second):
        policy = answer.headers["content-security-policy"]
        match = re.fullmatch(
            r"default-src 'none'; style-src 'nonce-([\w-]{20,})'; script-src 'nonce-([\w-]{20,})'", policy
        )
        assert match is not None
        assert match[1] == match[2]
        nonces.append(match[1])
        assert re.findall(r'<(?:style|script) nonce="([^"]*)">', answer.text) == [match[1]] * 2
        assert answer.text.count("<script") == answer.text.count("<style") == 1
        assert not re.search(r"\son\w+=|\sstyle=|\ssrc=|\shref=", answer.text)
    assert nonces[0] != nonces[1]


HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>'\"&"


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (LookupError(HOSTILE), {}),
        (type("<script>", (Exception,), {})("x"), {}),
        (LookupError("x"), {"headers": {"x-hostile": HOSTILE}}),
        (LookupError("x"), {"headers": [(HOSTILE, "1")]}),
        (LookupError("x"), {"target": f"/?{HOSTILE.replace(' ', '')}"}),
        (LookupError("x"), {"target": "/users/%3Cscript%3Ealert(1)"}),
        (LookupError("\ud800\x00\u2028"), {}),
    ],
    ids=range(7),
)
async def test_nothing_that_a_client_sent_becomes_markup(
    error: Exception, asked: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # what is captured has to be UTF-8, which a lone surrogate is not
    answer = await failing(raising(error), **asked)
    assert answer.status == 500
    assert answer.text.count("<script") == 1
    assert "<img" not in answer.text
    assert "alert(1)>" not in answer.text


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "X-Api-Key",
            "X-Auth-Token",
            "X-CSRF-Token",
            "X-XSRF-Token",
        ),
        *(
            "X-Amz-Security-Token",
            "X-Session-Id",
            "X-Hub-Signature-256",
            "X-Client-Secret",
            "X-Password",
            "X-JWT-Assertion",
        ),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_secrets_in_headers_are_hidden(name: str, accept: str) -> None:
    answer = await failing(raising(LookupError("x")), headers={name: SECRET, "accept": accept})
    assert SECRET not in answer.text
    assert ("(hidden)" in answer.text) is (accept == "text/html")


async def test_the_errors_that_led_to_an_error_are_shown_with_their_source() -> None:
    page = text_of((await failing(chained)).text)
    places = [
        page.index(words) for words in ("500 LookupError: outermost", "Caused by KeyError", "While handling ValueError")
    ]
    assert places == sorted(places)
    assert 'int("seven")' in page
    assert '{}["key"]' in page


@pytest.mark.parametrize(
    ("handler", "words", "absent"),
    [
        (hiding, "LookupError: alone", "Caused by"),
        (looping, "Caused by LookupError: second", "Caused by LookupError: first"),
        (generated, "from no file", "Caused by"),
        (raising(LookupError()), "500 LookupError", "LookupError:"),
    ],
)
async def test_odd_errors_have_a_page(handler: Callable[..., Any], words: str, absent: str) -> None:
    answer = await failing(handler)
    assert answer.status == 500
    page = text_of(answer.text.partition("<h2>Traceback")[0])
    assert words in page
    assert absent not in page


async def test_a_recursion_without_end_has_a_page_of_a_bounded_size() -> None:
    answer = await failing(recursing)
    assert "RecursionError" in answer.text
    assert answer.text.count("<details") <= 40
    assert len(answer.body) < 200_000


async def test_a_long_chain_of_errors_has_a_page_of_a_bounded_size() -> None:
    error = LookupError("0")
    for number in range(1, 50):
        outer = LookupError(str(number))
        outer.__cause__ = error
        error = outer
    assert (await failing(raising(error))).text.count("<h2>Caused by") == 7


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_an_error_whose_words_cannot_be_read_is_answered_all_the_same(
    accept: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await failing(raising(Unreadable()), headers={"accept": accept})
    assert answer.status == 500
    assert "the message of this Unreadable cannot be read: RuntimeError" in answer.text
    unreadable = Unreadable()
    vars(unreadable)["status"] = 418
    with caplog.at_level(logging.INFO):
        assert (await failing(raising(unreadable), "production")).status == 418
    assert "cannot be read" in caplog.text


async def test_a_head_request_gets_the_headers_of_the_page_only() -> None:
    answer = await failing(method="HEAD")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (500, b"", HTML)
    assert int(answer.headers["content-length"]) > 1000


async def test_headers_that_speak_of_another_body_are_gone() -> None:
    def handler(req: Request, res: Response) -> None:
        res.set({"Content-Encoding": "gzip", "Content-Language": "de", "Content-Range": "bytes 0-1/2", "X-Kept": "1"})
        raise LookupError("x")

    answer = await failing(handler)
    assert not {"content-encoding", "content-language", "content-range"} & set(answer.headers)
    assert answer.headers["x-kept"] == "1"


# -- JSON, for clients that prefer it


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, HTML),
        ("", HTML),
        ("*/*", HTML),
        ("text/html,application/xhtml+xml,*/*;q=0.8", HTML),
        ("application/json", JSON),
        ("application/json, text/plain, */*", JSON),
        ("application/json;q=0.5, text/html", HTML),
        ("image/png", HTML),
    ],
)
async def test_a_client_that_prefers_json_gets_json(accept: str | None, kind: str) -> None:
    answer = await failing(headers={} if accept is None else {"accept": accept})
    assert answer.headers["content-type"] == kind


async def test_the_json_has_the_facts_of_the_page() -> None:
    answer = await failing(raising(HTTPError(422, "not <b>that</b>")), headers={"accept": "application/json"})
    facts = answer.json
    trace = facts.pop("traceback")
    assert facts == {"status": 422, "error": "HTTPError", "message": "not <b>that</b>"}
    assert trace.startswith("Traceback (most recent call last):")
    assert answer.headers["content-security-policy"] == "default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"


# -- what is no exception


@pytest.mark.parametrize(
    ("error", "shown"), [("words", "words"), ({"a": "<b>"}, "{&#39;a&#39;: &#39;&lt;b&gt;&#39;}"), (7, "7")]
)
async def test_a_value_given_to_next_is_shown_as_text(error: Any, shown: str) -> None:
    answer = await failing(lambda req, res, next: next(error))
    assert (answer.status, answer.headers["content-type"]) == (500, HTML)
    assert f"<pre>{shown}</pre>" in answer.text

"""Every server gives the same answer to the same request of a real client."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from tests.servers.running import Running


@dataclass(frozen=True)
class Exchange:
    """A request and its answer.

    Attributes:
        body: text, or what JSON stands for; ``None`` where it does not matter.
        answer_headers: those that must be there with this value, or must not be there if it is ``None``.
    """

    method: str
    target: str
    status: int
    body: Any = None
    answer_headers: Mapping[str, str | None] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None


def page(words: str) -> str:
    """Return Express's own page for an error."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>{words}</pre>\n</body>\n</html>\n"
    )


JSON = {"content-type": "application/json; charset=utf-8"}
HTML = {"content-type": "text/html; charset=utf-8"}
ERROR_PAGE = {**HTML, "content-security-policy": "default-src 'none'", "x-content-type-options": "nosniff"}

EXCHANGES = {
    "text": Exchange(
        "GET",
        "/",
        200,
        "hello",
        {**HTML, "content-length": "5", "x-powered-by": "Express", "etag": 'W/"5-qvTGHdzF6KLavt4PO0gs2a6pQ00"'},
    ),
    "a parameter and a query": Exchange("GET", "/user/7?q=1", 200, {"id": "7", "q": "1"}, JSON),
    "an encoded slash in a parameter": Exchange("GET", "/user/a%2Fb", 200, {"id": "a/b", "q": None}),
    "a parameter outside ASCII": Exchange("GET", "/user/%C3%BC", 200, {"id": "ü", "q": None}),
    "a space and a plus": Exchange("GET", "/user/a%20+b", 200, {"id": "a +b", "q": None}),
    "a wildcard": Exchange("GET", "/files/a/b%2Fc/d", 200, ["a", "b/c", "d"]),
    "a trailing slash": Exchange("GET", "/user/7/", 200, {"id": "7", "q": None}),
    "a router in the application": Exchange(
        "GET",
        "/teams/a%2Fb/members/2?x=1",
        200,
        {
            "method": "GET",
            "original_url": "/teams/a%2Fb/members/2?x=1",
            "base_url": "/teams/a%2Fb",
            "url": "/members/2?x=1",
            "params": {"team": "a/b", "member": "2"},
        },
    ),
    "a redirect": Exchange("GET", "/teams/%C3%BC/leave", 302, None, {"location": "/teams/%C3%BC/members/1"}),
    "a body of JSON": Exchange(
        "POST",
        "/echo",
        201,
        {"got": {"a": [1, "ü"]}},
        JSON,
        {"content-type": "application/json"},
        '{"a":[1,"ü"]}'.encode(),
    ),
    "a body that is not JSON": Exchange("POST", "/echo", 400, page("Bad Request"), ERROR_PAGE, content=b"{"),
    "a body over the limit": Exchange(
        "POST", "/echo", 413, page("Payload Too Large"), ERROR_PAGE, content=b" " * 1_100_000
    ),
    "a body of a megabyte in pieces": Exchange("POST", "/count", 200, {"bytes": 1_000_000}, content=b"x" * 1_000_000),
    "a body that nobody reads": Exchange("POST", "/teapot", 404, page("Cannot POST /teapot"), content=b"x" * 1000),
    "an answer in pieces": Exchange(
        "GET",
        "/stream",
        200,
        "".join(f"line {number}\n" for number in range(5)) + "over\n",
        {"content-type": "text/plain; charset=utf-8", "content-length": None},
    ),
    "headers both ways": Exchange(
        "GET",
        "/headers",
        202,
        "Accepted",
        {"x-got": "a, b", "set-cookie": "a=1; Path=/, b=2; Path=/"},
        {"X-Sent": "a, b"},
    ),
    "HEAD of text": Exchange("HEAD", "/user/7", 200, "", {**JSON, "content-length": "19"}),
    "HEAD of an answer in pieces": Exchange("HEAD", "/stream", 200, "", {"content-type": "text/plain; charset=utf-8"}),
    "HEAD of nothing": Exchange("HEAD", "/nope", 404, "", {"content-length": "144"}),
    "OPTIONS": Exchange("OPTIONS", "/user/7", 200, "GET, HEAD", {"allow": "GET, HEAD"}),
    "a fresh copy": Exchange(
        "GET", "/", 304, "", {"content-type": None}, {"If-None-Match": 'W/"5-qvTGHdzF6KLavt4PO0gs2a6pQ00"'}
    ),
    "nothing": Exchange("GET", "/nope?x=1", 404, page("Cannot GET /nope"), ERROR_PAGE),
    "another method": Exchange("DELETE", "/user/7", 404, page("Cannot DELETE /user/7"), ERROR_PAGE),
    "a method of WebDAV": Exchange("PROPFIND", "/user/7", 404, page("Cannot PROPFIND /user/7"), ERROR_PAGE),
    "an error": Exchange("GET", "/boom", 500, page("Internal Server Error"), ERROR_PAGE),
    "an error that a handler answers": Exchange("GET", "/teapot", 418, {"error": "short and stout"}, JSON),
    "a header with CR LF": Exchange(
        "GET", "/bad-header", 500, page("Internal Server Error"), {**ERROR_PAGE, "x-split": None, "x-injected": None}
    ),
    "a status that is none": Exchange("GET", "/bad-status", 500, page("Internal Server Error"), ERROR_PAGE),
    "middleware before a route": Exchange("GET", "/admin", 200, "secret", {"x-guard": "seen"}),
    "middleware before the same route in capitals": Exchange("GET", "/ADMIN/", 200, "secret", {"x-guard": "seen"}),
    "FastAPI": Exchange("GET", "/fastapi/items/7", 200, {"item": 7}, {"x-powered-by": "Express"}),
    "FastAPI's refusal": Exchange("GET", "/fastapi/items/x", 422, None, {"content-type": "application/json"}),
    "FastAPI's schema": Exchange("GET", "/fastapi/openapi.json", 200),
    "Starlette's redirect": Exchange("GET", "/starlette/slash", 307, "", {"location": "{url}/starlette/slash/"}),
    "Starlette's own 404": Exchange("GET", "/starlette", 404, "Not Found"),
    "beside Starlette": Exchange("GET", "/starlettes/where/x", 404, page("Cannot GET /starlettes/where/x")),
    "WSGI": Exchange(
        "POST",
        "/wsgi/a%20b/c?x=%20",
        200,
        {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "/wsgi",
            "PATH_INFO": "/a b/c",
            "QUERY_STRING": "x=%20",
            "body": "sent",
        },
        content=b"sent",
    ),
    "the root of WSGI": Exchange(
        "GET",
        "/wsgi",
        200,
        {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/wsgi", "PATH_INFO": "/", "QUERY_STRING": "", "body": ""},
    ),
}


@pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES)
def test_the_same_request_is_answered_alike(server: Running, client: httpx2.Client, exchange: Exchange) -> None:
    answer = client.request(exchange.method, exchange.target, headers=exchange.headers, content=exchange.content)
    assert answer.status_code == exchange.status
    if isinstance(exchange.body, str):
        assert answer.text == exchange.body
    elif exchange.body is not None:
        assert json.loads(answer.content) == exchange.body
    for name, value in exchange.answer_headers.items():
        expected = value.format(url=server.url) if value else None
        assert answer.headers.get(name) == expected, name


def test_a_mounted_starlette_app_knows_where_it_is(server: Running, client: httpx2.Client) -> None:
    answer = client.get("/starlette/where/a%20b/c%2Fd").json()
    answer.pop("state")
    assert answer == {
        "root_path": "/starlette",
        "path": "/starlette/where/a b/c/d",
        "url": "/starlette/where/a b/c/d",
        "url_for": "/starlette/where/x y",
        "name": "a b/c/d",
    }


def test_a_request_body_may_come_in_chunks(client: httpx2.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"a":'
        yield b" 1}"

    answer = client.post("/echo", content=chunks())
    assert (answer.status_code, answer.json()) == (201, {"got": {"a": 1}})


def test_one_connection_serves_request_after_request(client: httpx2.Client) -> None:
    asked = ["/", "/boom", "/user/1", "/bad-header", "/stream", "/nope", "/user/%ff", "/"]
    assert [client.get(target).status_code for target in asked] == [200, 500, 200, 500, 200, 404, 400, 200]


# Servers that do not close the connection when an answer is cut short.
LEAVES_OPEN = {"daphne": "it neither ends the body nor closes the connection when the application raises"}


def test_an_answer_that_breaks_off_looks_broken_off(server: Running) -> None:
    broken = (httpx2.ReadTimeout,) if server.name in LEAVES_OPEN else (httpx2.RemoteProtocolError, httpx2.ReadError)
    with httpx2.Client(base_url=server.url, timeout=1 if server.name in LEAVES_OPEN else 10) as client:
        answer = client.send(client.build_request("GET", "/late-boom"), stream=True)
        assert answer.status_code == 200
        with pytest.raises(broken):
            answer.read()
    assert httpx2.get(server.url).text == "hello"


def test_errors_are_logged_and_not_told(server: Running, client: httpx2.Client) -> None:
    assert "secret" not in client.get("/boom").text
    assert "RuntimeError: secret words" in server.log

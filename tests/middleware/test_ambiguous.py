"""strict_paths: a path that two readers can read in two ways is refused before anything is decided."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_express import Express
from asgi_express.middleware import EndpointFirewall, ResourceFirewall
from asgi_express.middleware._ambiguous import ambiguity
from asgi_express.middleware.endpoint_firewall import Verdict
from asgi_express.security import Actor, Policy
from tests.asgi import Socket, ask, http_scope

WITH_ADA: dict[str, Any] = {"asgi_express.actor": Actor("ada")}
ALL = Policy("all", "*", "*")

PLAIN = [
    "/",
    "/a/b",
    "/a/b/",
    "/a%20b",
    "/%C3%A9",
    "/a.b/..c/...",
    "/~a-b_c!$&'()*+,=:@",
    "/a?q=//%2f;%ff",
    "/%5B%5D%7B",
    "/100%25",
    "/%25+1",
]

AMBIGUOUS: list[tuple[str, str]] = [
    ("/a%2Fb", "an encoded slash"),
    ("/a%2fb", "an encoded slash"),
    ("/a%2Eb", "an encoded dot"),
    ("/%2e%2e/b", "an encoded dot"),
    ("//a", "an empty segment"),
    ("/a//", "an empty segment"),
    ("/./a", "a dot segment"),
    ("/a/../b", "a dot segment"),
    ("/a/..", "a dot segment"),
    ("/a/.", "a dot segment"),
    ("/a;x=1", "a path parameter"),
    ("/a%3Bx=1", "an encoded ?, # or ;"),
    ("/a%3fx=1", "an encoded ?, # or ;"),
    ("/a%23", "an encoded ?, # or ;"),
    ("/a\\b", "a backslash"),
    ("/a%5cb", "a backslash"),
    ("/%c3%A9", "an escape in lower case"),
    ("/%C3%a9", "an escape in lower case"),
    ("/a%5b", "an escape in lower case"),
    ("/%61dmin", "a needless escape"),
    ("/%41", "a needless escape"),
    ("/%7A%7e", "a needless escape"),
    ("/%30", "a needless escape"),
    ("/a%2Db", "a needless escape"),
    ("/a%5Fb", "a needless escape"),
    ("/%FF", "what is not UTF-8"),
    ("/%C0%AF", "what is not UTF-8"),
    ("/%ED%A0%80", "what is not UTF-8"),
    ("/%00", "an encoded control character"),
    ("/a%0D%0A", "an encoded control character"),
    ("/%7F", "an encoded control character"),
    ("/%2561dmin", "text that was encoded twice"),
    ("/%252F", "text that was encoded twice"),
    ("/a%", "a % without two hexadecimal digits"),
    ("/a%zz", "a % without two hexadecimal digits"),
    ("/a b", "a byte that must be percent-encoded"),
    ("/\xe9", "a byte that must be percent-encoded"),
]


@pytest.mark.parametrize("target", PLAIN)
def test_a_plain_path_is_not_ambiguous(target: str) -> None:
    assert ambiguity(http_scope(target)) is None


@pytest.mark.parametrize(("target", "words"), AMBIGUOUS)
def test_an_ambiguous_path_is(target: str, words: str) -> None:
    assert ambiguity(http_scope(target)) == words


TOLD: list[tuple[dict[str, Any], str | None]] = [
    ({"raw_path": None}, "the server does not tell how it was sent"),
    ({"raw_path": b""}, "the server does not tell how it was sent"),
    ({"path": "/other"}, "a path that the server, or something before this, has changed"),
    ({"path": "/b", "root_path": "/a"}, None),  # the older way to mount
    ({"path": "/a/b", "root_path": "/a"}, None),
    ({"path": "/b", "root_path": "/c"}, "a path that the server, or something before this, has changed"),
    ({"raw_path": b"/a/b?x=1"}, None),  # some servers leave the query there
]


@pytest.mark.parametrize(("more", "words"), TOLD)
def test_what_the_server_tells_must_fit(more: dict[str, Any], words: str | None) -> None:
    assert ambiguity({**http_scope("/a/b"), **more}) == words


def ok(req: Any, res: Any) -> None:
    res.send("ok")


async def hello(request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


def ours(**options: Any) -> Any:
    return Express().post_match(EndpointFirewall(**options)).get("/*any", ok, meta={"public": True})


def around_ours(**options: Any) -> Any:
    return EndpointFirewall(Express().get("/*any", ok, meta={"public": True}), **options)


def starlette(**options: Any) -> Any:
    app = Starlette(routes=[Mount("/a", routes=[Route("/b", hello)]), Route("/{any:path}", hello)])
    app.add_middleware(EndpointFirewall, **options)
    return app


def resource(**options: Any) -> Any:
    return ResourceFirewall(Starlette(routes=[Route("/{any:path}", hello)]), target="x", **options)


AT_DOORS = pytest.mark.parametrize("make", [ours, around_ours, starlette, resource])


@AT_DOORS
async def test_strict_paths_answers_400_before_any_decision(make: Any) -> None:
    told: list[Verdict] = []
    app = make(strict_paths=True, policies=[ALL], audit=told.append)
    for who in ({}, WITH_ADA):
        answer = await ask(app, "/%61/b", **who)
        assert (answer.status, answer.text, answer.headers["cache-control"]) == (400, "Bad Request", "no-store")
    assert {(verdict.allowed, verdict.reason, verdict.detail) for verdict in told} == {
        (False, "ambiguous path", "a needless escape")
    }
    assert len(told) == 2
    assert (await ask(app, "/a/b", **WITH_ADA)).status == 200


@AT_DOORS
async def test_without_it_the_route_alone_counts(make: Any) -> None:
    assert (await ask(make(policies=[ALL]), "/%61/b", **WITH_ADA)).status == 200


@AT_DOORS
async def test_strict_paths_can_be_tried_out(make: Any) -> None:
    told: list[Verdict] = []
    app = make(strict_paths=True, enforce=False, audit=told.append)
    assert (await ask(app, "/%61/b")).status == 200
    assert [(verdict.allowed, verdict.reason) for verdict in told] == [(False, "ambiguous path")]


async def test_an_ambiguous_path_of_a_websocket_is_refused() -> None:
    firewall = EndpointFirewall(Express().ws("/x", ok_socket), strict_paths=True, policies=[ALL])
    assert (await Socket().connect(firewall, "//x", denial=True, **WITH_ADA)).sent[0]["status"] == 400
    assert (await Socket().connect(firewall, "/x", **WITH_ADA)).types[0] == "websocket.accept"


async def ok_socket(ws: Any) -> None:
    await ws.accept()
    await ws.close()


@pytest.mark.parametrize("given", ["yes", 1, None])
def test_strict_paths_is_true_or_false(given: Any) -> None:
    with pytest.raises(ValueError, match="strict_paths must be True or False"):
        EndpointFirewall(strict_paths=given)

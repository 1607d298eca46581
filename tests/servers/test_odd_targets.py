"""Request targets that no client library would send, byte for byte."""

from __future__ import annotations

import contextlib
import http.client
import re

import pytest

from tests.servers.running import Running


def ask(server: Running, method: str, target: str) -> tuple[int, str]:
    """Send a target as it is; return the status and the text, of an error page only its words."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.putrequest(method, target)
        connection.endheaders()
        answer = connection.getresponse()
        text = answer.read().decode()
    found = re.search("<pre>(.*)</pre>", text)
    return answer.status, found[1] if found else text


ODD = {
    ("GET", "//x"): (404, "Cannot GET //x"),
    ("GET", "//admin"): (404, "Cannot GET //admin"),
    ("GET", "/../admin"): (404, "Cannot GET /../admin"),
    ("GET", "/x/../admin"): (404, "Cannot GET /x/../admin"),
    ("GET", "/./admin"): (404, "Cannot GET /./admin"),
    ("GET", "/%61dmin"): (404, "Cannot GET /%61dmin"),
    ("GET", "/admin%2F"): (404, "Cannot GET /admin%2F"),
    ("GET", "/admin;x=1"): (404, "Cannot GET /admin;x=1"),
    ("GET", "/wsgi%2Fb"): (404, "Cannot GET /wsgi%2Fb"),
    ("GET", "/user/%zz"): (400, "Bad Request"),
    ("GET", "/%zz"): (404, "Cannot GET /%25zz"),
    ("GET", "/user/%ff"): (400, "Bad Request"),
    ("GET", "/user/%c0%ae"): (400, "Bad Request"),
    ("GET", "/user/%"): (400, "Bad Request"),
    ("GET", "/user/%00"): (200, '{"id":"\\u0000","q":null}'),
    ("GET", "/user/%252F"): (200, '{"id":"%2F","q":null}'),
    ("GET", "/user/a;b"): (200, '{"id":"a;b","q":null}'),
    ("GET", "/user/a|b"): (200, '{"id":"a|b","q":null}'),
    ("GET", "/user/a#b"): (200, '{"id":"a","q":null}'),
    ("GET", "/user/1?q=a?b"): (200, '{"id":"1","q":"a?b"}'),
    ("GET", "/user/" + "x" * 8000): (200, '{"id":"' + "x" * 8000 + '","q":null}'),
    ("GET", "/" * 8000): (404, "Cannot GET " + "/" * 8000),
    ("GET", "http://example.test/user/7?q=2"): (200, '{"id":"7","q":"2"}'),
    ("GET", "http://example.test/admin"): (200, "secret"),
    ("GET", "*"): (404, "Cannot GET *"),
    ("OPTIONS", "*"): (404, "Cannot OPTIONS *"),
    ("HEAD", "//x"): (404, ""),
    ("GET", "HTTP://example.test"): (200, "hello"),
    ("GET", "/nope/<b>"): (404, "Cannot GET /nope/%3Cb%3E"),
    ("GET", "?x"): (404, "Cannot GET "),
    ("GET", "evil"): (404, "Cannot GET evil"),
    ("GET", "@evil"): (404, "Cannot GET @evil"),
    ("FOO", "/user/1"): (404, "Cannot FOO /user/1"),
    ("__INIT__", "/user/1"): (404, "Cannot __INIT__ /user/1"),
}

# What servers answer themselves, or change before the application sees it.
HTTPTOOLS_REFUSES = (400, "Invalid HTTP request received.")
DIFFERENCES = {
    # llhttp, the parser of Node, is strict about targets, and knows the registered methods only
    ("uvicorn-httptools", "HTTP://example.test"): HTTPTOOLS_REFUSES,
    ("uvicorn-httptools", "?x"): HTTPTOOLS_REFUSES,
    ("uvicorn-httptools", "evil"): HTTPTOOLS_REFUSES,
    ("uvicorn-httptools", "@evil"): HTTPTOOLS_REFUSES,
    ("uvicorn-httptools", "/user/1", "FOO"): HTTPTOOLS_REFUSES,
    ("uvicorn-httptools", "/user/1", "__INIT__"): HTTPTOOLS_REFUSES,
    # hyper refuses what RFC 3986 has no place for, and reads a lone word as an authority, which has no path
    ("granian", "/nope/<b>"): (400, ""),
    ("granian", "?x"): (400, ""),
    ("granian", "evil"): (404, "Cannot GET "),
    ("granian", "@evil"): (404, "Cannot GET "),
}


@pytest.mark.parametrize(("method", "target"), ODD, ids=lambda text: text[:20])
def test_an_odd_target_is_routed_as_it_was_sent(server: Running, method: str, target: str) -> None:
    expected = ODD[method, target]
    for key in ((server.name, target), (server.name, target, method)):
        expected = DIFFERENCES.get(key, expected)
    assert ask(server, method, target) == expected
    assert ask(server, "GET", "/") == (200, "hello")


GUARDED = {
    "/guarded/open": (200, '"open"'),
    "/guarded/open?x=//": (200, '"open"'),
    "/guarded/open/": (307, ""),
    "/guarded/other": (401, "Unauthorized"),
    "/guarded/%C3%BC": (401, "Unauthorized"),
    "/guarded/nothing/here": (404, '{"detail":"Not Found"}'),
    "/guarded/%6Fpen": (400, "Bad Request"),
    "/guarded//open": (400, "Bad Request"),
    "/guarded/./open": (400, "Bad Request"),
    "/guarded/a%2Fb": (400, "Bad Request"),
    "/guarded/open;x=1": (400, "Bad Request"),
    "/guarded/%FF": (400, "Bad Request"),
}


@pytest.mark.parametrize("target", GUARDED)
def test_a_firewall_with_strict_paths_sees_the_target_as_it_was_sent(server: Running, target: str) -> None:
    assert ask(server, "GET", target) == GUARDED[target]

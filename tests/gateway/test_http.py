"""Handlers in the manner of Wippy: every method of its request and response, over HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx2
import pytest

from asgi_express import load
from asgi_express.errors import MisuseError
from asgi_express.gateway import http, resource
from tests.asgi import ask
from tests.gateway.serving import ROUTER, project, route, serving


def app(tmp_path: Path, code: str, method: str = "GET", path: str = "/it/{id}/{rest...}") -> Any:
    """Return a gateway with one function, ``it``."""
    head = "from asgi_express.gateway import http\n\n"
    return load(project(tmp_path, ROUTER, route(method, path, "it"), handlers=head + dedent(code)))


def asking(expression: str) -> str:
    """Return a function that answers with what its request says."""
    return f"def it():\n    req = http.request()\n    http.response().write_json({expression})\n"


PATH = "/api/it/7/docs/guides/readme.md?page=2&tag=a&tag=b&deep[x]=1"

REQUEST: list[tuple[str, Any]] = [
    ("req.method()", "GET"),
    ("req.path()", "/api/it/7/docs/guides/readme.md"),
    ("req.query('page')", "2"),
    ("req.query('tag')", "a"),
    ("req.query('none')", None),
    ("req.query_params()['tag']", ["a", "b"]),
    ("req.header('x-one')", "1"),
    ("req.header('x-none')", None),
    ("req.param('id')", "7"),
    ("req.param('rest')", "docs/guides/readme.md"),
    ("req.param('none')", None),
    ("req.params()", {"id": "7", "rest": "docs/guides/readme.md"}),
    ("req.host()", "example.com:8080"),
    ("req.remote_addr()", "127.0.0.1:50000"),
    ("req.accepts('application/json')", True),
    ("req.accepts('image/png')", False),
    ("req.has_body()", False),
    ("req.content_type()", None),
    ("req.content_length()", None),
    ("req.is_content_type('json')", False),
]


@pytest.mark.parametrize(("expression", "expected"), REQUEST, ids=[case[0] for case in REQUEST])
async def test_a_request_says_what_was_asked(tmp_path: Path, expression: str, expected: Any) -> None:
    headers = {"Host": "example.com:8080", "X-One": "1", "Accept": "application/json"}
    answer = await ask(app(tmp_path, asking(expression)), PATH, headers=headers)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json == expected


@pytest.mark.parametrize(
    ("client", "expected"), [(("2001:db8::1", 9), "[2001:db8::1]:9"), (None, None)], ids=["IPv6", "no address"]
)
async def test_the_address_of_a_client_has_a_port_if_it_is_known(tmp_path: Path, client: Any, expected: Any) -> None:
    gateway = app(tmp_path, asking("req.remote_addr()"))

    async def server(scope: Any, receive: Any, send: Any) -> None:
        await gateway({**scope, "client": client}, receive, send)

    assert (await ask(server, PATH)).json == expected


async def test_a_wildcard_of_express_is_one_text_too(tmp_path: Path) -> None:
    gateway = app(tmp_path, asking("req.param('rest')"), path="/it/*rest")
    assert (await ask(gateway, "/api/it/a/b")).json == "a/b"


async def test_an_empty_list_in_the_query_is_no_value(tmp_path: Path) -> None:
    gateway = app(tmp_path, asking("[req.query('a'), req.query('b')]"))
    assert (await ask(gateway, "/api/it/1/2?b=1&b=2")).json == [None, "1"]


BODY: list[tuple[str, str, Any]] = [
    ("await req.body()", "text/plain", '{"a": 1}'),
    ("await req.body_json()", "application/json", {"a": 1}),
    ("req.has_body()", "application/json", True),
    ("req.content_type()", "application/json", "application/json"),
    ("req.content_length()", "application/json", 8),
    ("req.is_content_type('application/json')", "application/json", True),
    ("req.is_content_type('text/html')", "application/json", False),
    ("b''.join([piece async for piece in req.stream()]).decode()", "text/plain", '{"a": 1}'),
]


@pytest.mark.parametrize(("expression", "kind", "expected"), BODY, ids=[case[0] for case in BODY])
async def test_a_request_gives_its_body(tmp_path: Path, expression: str, kind: str, expected: Any) -> None:
    async with serving(app(tmp_path, "async " + asking(expression), "POST")) as client:
        answer = await client.post("/api/it/7/x", content=b'{"a": 1}', headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()) == (200, expected)


async def test_a_body_in_chunks_is_a_body_and_one_too_long_is_413(tmp_path: Path) -> None:
    chunked = {"Transfer-Encoding": "chunked"}
    assert (await ask(app(tmp_path, asking("req.has_body()")), PATH, headers=chunked)).json is True
    gateway = app(tmp_path, "async " + asking("await req.body(limit='3b')"), "POST")
    assert (await ask(gateway, "/api/it/1/2", "POST", body=b"four")).status == 413


async def test_a_form_has_values_and_files(tmp_path: Path) -> None:
    code = """
    async def it():
        form = await http.request().parse_multipart("1mb")
        files = {}
        for name, several in form.files.items():
            files[name] = [
                [file.name, file.size, file.header("content-type"), file.header("x-none"),
                 b"".join([piece async for piece in file.stream()]).decode()]
                for file in several
            ]
        http.response().write_json({"values": form.values, "files": files})
    """
    async with serving(app(tmp_path, code, "POST")) as client:
        answer = await client.post(
            "/api/it/7/x",
            data={"title": "Photos", "tag": ["a", "b"]},
            files=[("photos", ("one.txt", b"first", "text/plain")), ("photos", ("two.txt", b"", "text/plain"))],
        )
        assert answer.json() == {
            "values": {"title": ["Photos"], "tag": ["a", "b"]},
            "files": {"photos": [["one.txt", 5, "text/plain", None, "first"], ["two.txt", 0, "text/plain", None, ""]]},
        }
        too_long = await client.post("/api/it/7/x", files={"a": ("a", b"x" * 2**20, "text/plain")})
        assert too_long.status_code == 413


def answering(*lines: str) -> str:
    """Return a function that answers."""
    return "async def it():\n    res = http.response()\n" + "".join(f"    {line}\n" for line in lines)


TEXT = "text/plain; charset=utf-8"
JSON = "application/json; charset=utf-8"
EVENTS = "text/event-stream; charset=utf-8"

RESPONSE: list[tuple[tuple[str, ...], int, str | None, str]] = [
    (("pass",), 200, None, ""),
    (("res.write('a'); res.write(b'b')",), 200, TEXT, "ab"),
    (("res.write('a')", "res.set_status(201)"), 201, TEXT, "a"),
    (("res.status(404); res.write('gone')",), 404, TEXT, "gone"),
    (("res.set_status(204)",), 204, None, ""),
    (("res.set_content_type('text/html'); res.write('<p>')",), 200, "text/html; charset=utf-8", "<p>"),
    (("res.set_header('Content-Type', 'text/css'); res.write('a')",), 200, "text/css; charset=utf-8", "a"),
    (("res.write_json({'a': [1, None]})",), 200, JSON, '{"a":[1,null]}'),
    (("res.set_content_type('application/problem+json'); res.write_json(1)",), 200, "application/problem+json", "1"),
    (("res.write('a'); await res.flush()", "res.write('b')"), 200, TEXT, "ab"),
    (("await res.write('a')", "await res.write('b')"), 200, TEXT, "ab"),
    (("await res.write_json(1)", "await res.flush()"), 200, JSON, "1"),
    (("res.set_transfer('chunked'); res.write('a')",), 200, TEXT, "a"),
    (("res.set_transfer('sse'); res.write_event({'data': 1})",), 200, EVENTS, "data: 1\n\n"),
    (("res.write_event({'name': 'n', 'data': 'x', 'id': '7'})",), 200, EVENTS, "event: n\ndata: x\nid: 7\n\n"),
    (
        ("await res.write_event({'data': 1})", "await res.write_event({'data': 2})"),
        200,
        EVENTS,
        "data: 1\n\ndata: 2\n\n",
    ),
    (("return res.write('a')",), 200, TEXT, "a"),
    (("return {'other': 1}",), 200, JSON, '{"other":1}'),
    (("await res.write('a')", "res.set_status(500)"), 0, None, ""),
]


@pytest.mark.parametrize(("lines", "status", "kind", "body"), RESPONSE, ids=[" ".join(case[0]) for case in RESPONSE])
async def test_a_response_is_what_was_written(
    tmp_path: Path, lines: tuple[str, ...], status: int, kind: str | None, body: str
) -> None:
    async with serving(app(tmp_path, answering(*lines)), log_level="critical") as client:
        if not status:  # too late: it is on its way
            with pytest.raises(httpx2.RemoteProtocolError):
                await client.get("/api/it/7/x")
            return
        answer = await client.get("/api/it/7/x")
        assert (answer.status_code, answer.headers.get("content-type"), answer.text) == (status, kind, body)


@pytest.mark.parametrize("lines", [("res.write('a')",), ("res.set_transfer('chunked'); res.write('a')",)])
async def test_a_head_request_gets_no_body(tmp_path: Path, lines: tuple[str, ...]) -> None:
    async with serving(app(tmp_path, answering(*lines))) as client:
        answer = await client.head("/api/it/7/x")
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", TEXT)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("res.write({'a': 1})", "expected text or bytes, got {'a': 1}; write_json takes the rest"),
        ("res.write_event({'event': 'x'})", "an event has name, data and id, not event"),
        ("res.set_transfer('gzip')", "expected 'chunked' or 'sse', not 'gzip'"),
    ],
)
async def test_what_a_response_cannot_do_is_an_error_with_words(tmp_path: Path, line: str, words: str) -> None:
    code = answering("try:", f"    {line}", "except (TypeError, ValueError) as error:", "    return str(error)")
    assert words in (await ask(app(tmp_path, code), PATH)).text


async def test_one_request_has_one_response_and_handlers_do_not_see_that_of_another(tmp_path: Path) -> None:
    code = """
    import asyncio
    both = asyncio.Barrier(2)

    async def it():
        http.response().write(http.request().query("n"))
        await both.wait()
        http.response().write(http.request().query("n"))
    """
    gateway = app(tmp_path, code)
    answers = await asyncio.gather(*(ask(gateway, f"/api/it/1/2?n={number}") for number in (1, 2)))
    assert [answer.text for answer in answers] == ["11", "22"]


SHAPES = [
    ("def it(): return {'a': 1}", '{"a":1}'),
    ("async def it(): return 'a'", "a"),
    ("def it(req): return req.params['id']", "7"),
    ("def it(req, res): res.send('a')", "a"),
    ("def it(req, res): return res.send('a')", "a"),
    ("async def it(req, res): await res.send('a')", "a"),
    ("def it(req, res): http.response().write('mixed')", "mixed"),
    ("def it(req, res):\n    http.response()\n    res.send('answered')", "answered"),
    ("def it(req, res, next): res.send('three')", "three"),
    ("import functools\nit = functools.partial(lambda word, req, res: res.send(word), 'partial')", "partial"),
    ("from asgi_express import blocking\n@blocking\ndef it(): http.response().write('thread')", "thread"),
    ("import asyncio\ndef it(req, res): return asyncio.ensure_future(later())\nasync def later(): return 'f'", "f"),
]


@pytest.mark.parametrize(("code", "text"), SHAPES, ids=[case[0] for case in SHAPES])
async def test_a_function_has_any_of_the_shapes_of_a_handler(tmp_path: Path, code: str, text: str) -> None:
    assert (await ask(app(tmp_path, code), PATH)).text == text


async def test_a_function_that_goes_on_leaves_the_answer_to_nobody(tmp_path: Path) -> None:
    assert (await ask(app(tmp_path, "def it(req, res, next): next()"), PATH)).status == 404


async def test_a_function_that_answers_nothing_is_an_error_that_names_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await ask(app(tmp_path, "def it(req, res): pass"), PATH)).status == 500
    assert "handlers.py:it returned without an answer" in caplog.text


async def test_functions_find_what_other_entries_have_become(tmp_path: Path) -> None:
    more = "- {name: memory, kind: store.memory}\n"
    code = """
    from asgi_express.gateway import resource

    async def it(req, res):
        store = resource("app:memory")
        await store.set("key", b"value", ttl=60)
        try:
            resource("app:api")
        except LookupError as error:
            res.json([(await store.get("key")).decode(), str(error)])
    """
    answer = await ask(load(project(tmp_path, ROUTER, more, route("GET", "/it", "it"), handlers=code)), "/api/it")
    words = "resource('app:api'): no entry of this ID is a function, a store, a token store, a policy or a directory"
    assert answer.json == ["value", words]


def test_outside_of_a_handler_there_is_no_request() -> None:
    for call in (http.request, http.response):
        with pytest.raises(MisuseError, match=r"http.re\w+\(\): no handler of a gateway is running here"):
            call()
    with pytest.raises(MisuseError, match="no request of a gateway is being served here"):
        resource("app:memory")


async def test_a_client_that_leaves_ends_a_stream(tmp_path: Path) -> None:
    code = """
    import asyncio
    from asgi_express.errors import ClientDisconnect
    left = []

    async def it():
        res = http.response()
        try:
            while True:
                await res.write_event({"data": "x" * 1000})
                await asyncio.sleep(0)
        except ClientDisconnect:
            left.append(True)
            raise
    """
    gateway = app(tmp_path, code)
    async with serving(gateway, log_level="critical") as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(b"GET /api/it/1/2 HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"data: ")
        writer.close()
        await writer.wait_closed()
    # The server waits for its requests when it stops: this one has ended.

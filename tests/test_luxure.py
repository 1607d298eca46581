"""Luxure's server: options, methods, sockets, the blocking loop; its events."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import threading
from typing import Any

import httpx2
import pytest

from asgi_express import Express, HTTPError, MisuseError, luxure
from asgi_express.errors import check
from asgi_express.luxure import Event, Opts, Server, Sse
from tests.asgi import ask

METHODS = [
    *("acl", "bind", "checkout", "connect", "copy", "delete", "get", "head", "link", "lock", "m_search", "merge"),
    *("mkactivity", "mkcalendar", "mkcol", "move", "notify", "options", "patch", "post", "propfind", "proppatch"),
    *("purge", "put", "rebind", "report", "search", "subscribe", "trace", "unbind", "unlink", "unlock", "unsubscribe"),
]


# -- options and handlers


def test_options_are_set_in_a_chain_or_at_once() -> None:
    assert Opts() == Opts("production", None)
    assert Opts().set_env("debug").set_backlog(5) == Opts(env="debug", backlog=5)
    server = Server.new(Opts(env="debug", backlog=5))
    assert (server.env, server.backlog, server.ip, server.port) == ("debug", 5, "0.0.0.0", None)
    assert Server().env == "production"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Opts(env="development"), "env must be 'production' or 'debug', not 'development'"),
        (lambda: Opts(backlog=0), "backlog must be an integer of 1 or more, or None, not 0"),
        (lambda: Opts(backlog=True), "backlog must be an integer"),
        (lambda: Opts().set_backlog(-1), "backlog must be an integer"),
        (lambda: Server().set_ip("localhost"), "'localhost' does not appear to be an IPv4 or IPv6 address"),
    ],
)
def test_values_out_of_range_are_refused(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_of_luxure_registers_a_handler_and_returns_the_server(method: str) -> None:
    server = Server()
    assert getattr(server, method)("/", lambda req, res: res.send(req.method)) is server
    name = method.upper().replace("_", "-")
    answer = await ask(server, "/", name)
    assert (answer.status, answer.text) == (200, "" if name == "HEAD" else name)


def test_there_are_thirty_three() -> None:
    assert len(METHODS) == 33


async def test_middleware_runs_in_order_of_registration_around_the_first_route_that_answers() -> None:
    order: list[str] = []
    server = Server()

    async def first(req: Any, res: Any, next: Any) -> None:
        order.append("first")
        await next()
        order.append("first again")

    assert server.use(first) is server
    server.use(lambda req, res, next: (order.append("second"), next())[1])
    server.get("/users/:id", lambda req, res: (order.append("route"), res.send(req.params["id"]))[1])
    server.get("/users/7", lambda req, res: order.append("another route"))
    assert (await ask(server, "/users/7")).text == "7"
    assert order == ["first", "second", "route", "first again"]
    assert (await ask(server, "/nowhere")).status == 404
    assert server.router is server.app


# -- errors


def test_check_returns_what_is_true_and_raises_the_status_else() -> None:
    assert check("ada", "no user", 404) == "ada"
    failing: list[tuple[Any, Any, Any]] = [
        (None, ("no user", 404), (404, "no user", True)),
        ([], (), (500, "Internal Server Error", False)),
        (0, ("broken",), (500, "broken", False)),
    ]
    for condition, arguments, expected in failing:
        with pytest.raises(HTTPError) as caught:
            check(condition, *arguments)
        assert (caught.value.status, str(caught.value), caught.value.expose) == expected
    with pytest.raises(ValueError, match="status must be an integer from 400 to 599"):
        check(None, "fine", 200)


async def test_debug_shows_the_traceback_and_production_nothing() -> None:
    pages = {}
    for env in ("debug", "production"):
        server = Server(Opts(env=env))
        server.get("/", lambda: check(None, "the key is swordfish", 503))
        answer = await ask(server, "/", headers={"accept": "text/html"})
        assert answer.status == 503
        pages[env] = answer.text
    assert "the key is swordfish" in pages["debug"]
    assert "test_luxure.py" in pages["debug"]
    assert "swordfish" not in pages["production"]
    assert "test_luxure.py" not in pages["production"]


# -- sockets


def test_a_server_listens_on_a_port_that_is_free_and_closes_it() -> None:
    server = Server().set_ip("127.0.0.1").listen()
    port = server.port
    assert port
    with socket.create_connection(("127.0.0.1", port)):
        pass  # it waits in the backlog
    with pytest.raises(MisuseError, match=f"the server listens on port {port} already"):
        server.listen()
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with pytest.raises(MisuseError, match=r"run\(\) comes after listen\(\)"):
        server.run()


def test_an_error_callback_that_is_none_is_refused_before_it_is_needed() -> None:
    server = Server().set_ip("127.0.0.1").listen()
    wrong: Any = "print"
    with pytest.raises(TypeError, match="err_callback must be a function of the message, not 'print'"):
        server.run(wrong)
    server.close()


def test_an_own_socket_is_used_and_an_address_in_use_leaves_it_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as own:
        port = taken.getsockname()[1]
        server = Server.new_with(own).set_ip("127.0.0.1")
        with pytest.raises(OSError, match="in use"):
            server.listen(port)
        assert own.fileno() != -1
        assert server.listen().port == own.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            Server().set_ip("127.0.0.1").listen(port)


@pytest.mark.parametrize("sock", ["socket", 7])
def test_what_is_no_tcp_socket_is_refused(sock: Any) -> None:
    with pytest.raises(TypeError, match="expected a TCP socket"):
        Server.new_with(sock)


def test_a_datagram_socket_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(TypeError, match="expected a TCP socket"):
        Server.new_with(sock)


def test_a_server_listens_on_ipv6() -> None:
    try:
        server = Server().set_ip("::1").listen()
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert server.ip == "::1"
    server.close()


@pytest.mark.parametrize("told", [[], None])
def test_run_serves_until_interrupted_and_tells_of_errors(
    told: list[str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(Opts(backlog=7)).set_ip("127.0.0.1").listen()
    server.get("/", lambda req, res: res.send("hello"))
    server.get("/fail", lambda: check(None, "no disk"))
    answers = []

    def visit() -> None:
        # the connection waits in the backlog until the server has started
        for path in ("", "fail"):
            answers.append(httpx2.get(f"http://127.0.0.1:{port}/{path}", timeout=30))
        signal.raise_signal(signal.SIGINT)

    port = server.port
    visiting = threading.Thread(target=visit)
    visiting.start()
    server.run(told.append if told is not None else None, log_config=None)
    visiting.join()
    assert (answers[0].status_code, answers[0].text) == (200, "hello")
    assert answers[1].status_code == 500
    assert told in (None, ["no disk"])
    assert "no disk" in caplog.text
    assert server.port is None


# -- events


def test_an_event_is_built_part_by_part_and_keeps_empty_lines() -> None:
    event = Event().comment("note").event("price").id("7").data("a\n\nb").retry(2)
    assert str(event) == ": note\nevent: price\ndata: a\ndata: \ndata: b\nid: 7\nretry: 2000\n\n"
    assert event.build().event == "price"
    assert str(Event().data({"a": 1}).data("the last one")) == "data: the last one\n\n"


@pytest.mark.parametrize("wrong", [lambda: Event().id("a\nb"), lambda: Event().event("\0"), lambda: Event().retry(-1)])
def test_a_wrong_part_is_refused_where_it_is_set(wrong: Any) -> None:
    with pytest.raises(ValueError, match="Event: "):
        wrong()


async def test_a_stream_sends_builders_and_data() -> None:
    app = Express()

    @app.get("/")
    async def stream(req: Any, res: Any) -> None:
        async with Sse(res) as sse:
            await sse.send(Event().event("price").data({"a": 42}))
            await sse.send("plain", id="2")

    answer = await ask(app, "/")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == ': \n\nevent: price\ndata: {"a":42}\n\ndata: plain\nid: 2\n\n'


@pytest.mark.parametrize(("keepalive", "seconds"), [(None, None), (True, 15.0), (3, 3.0), ("1m", 60.0)])
async def test_a_stream_keeps_alive_as_often_as_is_said(keepalive: Any, seconds: float | None) -> None:
    app = Express()
    app.get("/", lambda req, res: str(Sse(res, keepalive)._interval))
    assert (await ask(app, "/")).text == str(seconds)


async def test_a_silent_stream_sends_comments() -> None:
    app = Express()
    asked = asyncio.Event()

    @app.get("/")
    async def stream(req: Any, res: Any) -> None:
        async with Sse(res, 0.001):
            await asked.wait()

    async with (
        app.serve(port=0) as server,
        httpx2.AsyncClient() as client,
        client.stream("GET", server.url) as answer,
    ):
        got = ""
        async for text in answer.aiter_text():
            got += text
            if re.fullmatch(r"(: \n\n){3,}", got):
                asked.set()
                break
    assert asked.is_set()


def test_the_module_has_what_luxure_exports() -> None:
    assert luxure.__all__ == ["Event", "Opts", "Server", "Sse"]

"""Serving over uvicorn: inside a running program, and until interrupted."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from asgi_express import Express, MisuseError

PATIENCE = 30
PROGRAM = """
import sys
from contextlib import asynccontextmanager
from asgi_express import Express

@asynccontextmanager
async def lifespan(app):
    yield
    sys.stdout.write("stopped\\n")

app = Express(lifespan=lifespan)
app.get("/", lambda req, res: res.send("hello"))
app.listen(0)
sys.stdout.write("after listen\\n")
"""


def hello(**options: Any) -> Express:
    app = Express(**options)
    app.get("/", lambda req, res: res.send("hello"))
    return app


@asynccontextmanager
async def failing(app: Express) -> AsyncIterator[None]:
    raise ValueError("no database")
    yield


async def get(url: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.get(url)


@pytest.fixture
def taken() -> Iterator[int]:
    """Give a port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


# -- inside a running program


async def test_a_server_in_a_program_answers_on_a_free_port_and_is_gone_afterwards() -> None:
    async with hello().serve(port=0) as server:
        assert server.port > 0
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert (await get(server.url)).text == "hello"
    with pytest.raises(httpx2.ConnectError):
        await get(server.url)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_a_server_listens_on_an_ipv6_address() -> None:
    async with hello().serve(port=0, host="::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert (await get(server.url)).text == "hello"


async def test_two_servers_run_side_by_side() -> None:
    async with hello().serve(port=0) as one, hello().serve(port=0) as two:
        assert one.port != two.port
        assert [(await get(each.url)).text for each in (one, two)] == ["hello", "hello"]


async def test_no_answer_waits_for_an_acknowledgement() -> None:
    nodelay: list[int] = []
    app = Express()

    def look(req: Any, res: Any) -> None:
        assert server._server is not None
        for connection in server._server.server_state.connections:
            accepted = connection.transport.get_extra_info("socket")
            nodelay.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        res.end()

    app.get("/", look)
    async with app.serve(port=0) as server:
        await get(server.url)
    assert len(nodelay) == 1
    assert nodelay[0]


async def test_a_server_runs_the_lifespan() -> None:
    events = []

    @asynccontextmanager
    async def lifespan(app: Express) -> AsyncIterator[dict[str, str]]:
        events.append("started")
        yield {"word": "hello"}
        events.append("stopped")

    app = Express(lifespan=lifespan)
    app.get("/", lambda req, res: res.send(req.state.word))
    async with app.serve(port=0) as server:
        assert events == ["started"]
        assert (await get(server.url)).text == "hello"
    assert events == ["started", "stopped"]


async def test_the_request_under_way_is_answered_before_the_server_stops() -> None:
    arrived, go = asyncio.Event(), asyncio.Event()
    app = Express()

    @app.get("/")
    async def slow() -> str:
        arrived.set()
        await go.wait()
        return "late"

    server = await app.serve(port=0).__aenter__()
    asking = asyncio.ensure_future(get(server.url))
    await arrived.wait()
    stopping = asyncio.ensure_future(server.__aexit__(None, None, None))
    await asyncio.wait([stopping], timeout=0)
    go.set()
    await stopping
    assert (await asking).text == "late"


async def test_an_application_that_fails_to_start_is_an_error_and_frees_the_port(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = hello(lifespan=failing).serve(port=0, log_config=None)
    with pytest.raises(RuntimeError, match="the application failed to start; the log says why"):
        await server.__aenter__()
    assert "ValueError: no database" in caplog.text
    socket.create_server(("127.0.0.1", server.port)).close()


async def test_an_option_that_cannot_be_used_is_the_error_that_uvicorn_raises() -> None:
    server = hello().serve(port=0, ssl_certfile="/no/such/file")
    with pytest.raises(FileNotFoundError):
        await server.__aenter__()


async def test_giving_up_while_the_application_starts_frees_the_port() -> None:
    starting = asyncio.Event()

    @asynccontextmanager
    async def hanging(app: Express) -> AsyncIterator[None]:
        starting.set()
        await asyncio.Event().wait()
        yield

    server = hello(lifespan=hanging).serve(port=0)
    entering = asyncio.ensure_future(server.__aenter__())
    await starting.wait()
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    socket.create_server(("127.0.0.1", server.port)).close()


async def test_a_server_starts_only_once() -> None:
    server = hello().serve(port=0)
    async with server:
        with pytest.raises(MisuseError, match=r"a server starts once; make another with app\.serve\(\)"):
            await server.__aenter__()
        assert (await get(server.url)).text == "hello"


async def test_an_address_in_use_is_an_os_error(taken: int) -> None:
    with pytest.raises(OSError, match="in use"):
        await hello().serve(port=taken).__aenter__()


# -- until interrupted


@contextmanager
def on_listening(then: Callable[[str], None]) -> Iterator[None]:
    """Call back with the address when a server says that it listens."""

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found = re.fullmatch("Listening on (http.*)", record.getMessage())
            if found:
                then(found[1])

    logger, watch = logging.getLogger("uvicorn.error"), Watch()
    logger.addHandler(watch)
    try:
        yield
    finally:
        logger.removeHandler(watch)


def test_listen_returns_when_it_is_interrupted() -> None:
    # A shell starts what runs in the background with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with on_listening(lambda url: signal.raise_signal(signal.SIGINT)):
            hello().listen(0, log_config=None)
    finally:
        signal.signal(signal.SIGINT, before)


def test_listen_serves_with_the_options_of_uvicorn() -> None:
    answers = []

    def ask(url: str) -> None:
        answers.append(httpx2.get(url, timeout=PATIENCE).text)

    threads = []

    def ask_in_thread(url: str) -> None:
        threads.append(threading.Thread(target=ask, args=(url,)))
        threads[0].start()

    with on_listening(ask_in_thread):
        hello().listen(0, log_config=None, limit_max_requests=1)
    threads[0].join(PATIENCE)
    assert answers == ["hello"]


def test_listen_fails_where_the_application_cannot_start(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError, match="the application failed to start; the log says why"):
        hello(lifespan=failing).listen(0, log_config=None)
    assert "ValueError: no database" in caplog.text


def test_listen_on_an_address_in_use_is_an_os_error(taken: int) -> None:
    with pytest.raises(OSError, match="in use"):
        hello().listen(taken, log_config=None)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_program_that_listens_tells_where_and_stops_in_order(name: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": "."},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        lines = []
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if "Listening on " in line:
                    break
            url = lines[-1].split()[-1]
            assert httpx2.get(url, timeout=PATIENCE).text == "hello"
            process.send_signal(getattr(signal, name))
            rest, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert "stopped\n" in rest
    assert "Traceback" not in rest
    if name == "SIGINT":
        assert rest.endswith("after listen\n")
        assert process.returncode == 0
    else:
        assert process.returncode == -signal.SIGTERM


# -- without uvicorn


@pytest.mark.parametrize("serve", [lambda app: app.listen(0), lambda app: app.serve(port=0)], ids=["listen", "serve"])
def test_without_uvicorn_the_error_names_what_to_install(
    serve: Callable[[Express], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=re.escape("serving needs uvicorn: pip install 'asgi-express[server]'")):
        serve(hello())

"""The page that Prometheus reads: its forms, who may read it, and the one of several processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_express import Express, Router
from asgi_express.middleware import Compress, Metrics
from asgi_express.middleware._metrics_page import _lives
from asgi_express.middleware.metrics import metrics_app
from asgi_express.server import Server
from tests.asgi import Answer, Socket, ask
from tests.servers.running import Running, _started

PATIENCE = 60.0
WORKERS = 3

# As Prometheus 3 sends it, and Prometheus 2.
OF_PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
OF_PROMETHEUS_2 = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def served(**options: Any) -> Express:
    app = Express()
    app.use(Metrics(registry=CollectorRegistry(), **options))
    app.get("/users/:id", lambda req, res: res.send("x"))
    return app


def total(answer: Answer, parse: Callable[[str], Any] = text_string_to_metric_families) -> float:
    """Return how many requests were counted, as a parser of Prometheus reads it."""
    return sum(
        float(sample.value)
        for family in parse(answer.text)
        for sample in family.samples
        if sample.name == "http_requests_total"
    )


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, TEXT),
        ("*/*", TEXT),
        ("text/html", TEXT),
        ("text/plain", TEXT),
        ("application/openmetrics-text; version=abc", OPEN),
        ("application/openmetrics-text;q=0.1, text/plain", TEXT),
        (OF_PROMETHEUS_2, OPEN),
        (OF_PROMETHEUS_3, OPEN),
    ],
)
async def test_the_page_is_text_or_openmetrics_as_accept_has_it(accept: str | None, kind: str) -> None:
    app = served(path="/metrics")
    await ask(app, "/users/7")
    answer = await ask(app, "/metrics", headers={} if accept is None else {"accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Accept", "no-store")
    assert total(answer, open_families if kind == OPEN else text_string_to_metric_families) == 1


async def test_there_is_no_page_unless_one_is_asked_for() -> None:
    assert (await ask(served(), "/metrics")).status == 404


async def test_the_page_is_at_its_path_only_and_is_not_counted() -> None:
    app = served(path="/metrics")
    for path in ("/metrics/", "/metrics/x", "/Metrics", "/%6detrics"):
        assert (await ask(app, path)).status == 404
    pages = [await ask(app, "/metrics?x=1") for _ in range(3)]
    assert [total(page) for page in pages] == [4, 4, 4]


async def test_the_path_is_below_the_prefix_of_its_router() -> None:
    api = Router().use(Metrics(path="/metrics", registry=CollectorRegistry()))
    app = Express().use("/api", api)
    assert [(await ask(app, path)).status for path in ("/api/metrics", "/metrics")] == [200, 404]


async def test_head_has_no_body_and_other_methods_are_refused() -> None:
    app = metrics_app(CollectorRegistry())
    head = await ask(app, "/", "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "0")
    answer = await ask(app, "/", "POST")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert (await Socket().connect(app)).sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], 401),
        (["Bearer t0ken"], 200),
        (["bearer t0ken"], 200),
        (["Bearer wrong"], 401),
        (["Bearer t0ken "], 401),
        (["Bearer"], 401),
        (["Basic t0ken"], 401),
        (["t0ken"], 401),
        (["Bearer \xe9"], 401),
        (["Bearer t0ken", "Bearer t0ken"], 401),
    ],
)
async def test_with_a_token_only_who_has_it_reads(lines: list[str], status: int) -> None:
    headers = [("authorization", line) for line in lines]
    for app in (served(path="/metrics", token="t0ken"), Express().mount("/metrics", metrics_app(token="t0ken"))):
        answer = await ask(app, "/metrics", headers=headers)
        assert answer.status == status
        assert answer.headers.get("www-authenticate") == (None if status == 200 else 'Bearer realm="metrics"')


async def test_the_page_is_an_app_for_any_host() -> None:
    registry = CollectorRegistry()
    await ask(Metrics(served(), registry=registry), "/users/7")
    host = Starlette(routes=[Mount("/metrics", app=metrics_app(registry))])
    assert total(await ask(host, "/metrics/")) == 1


async def test_the_page_is_compressed_by_what_compresses_all_else() -> None:
    app = Express().use(Compress(min_length=0)).use(Metrics(path="/metrics", registry=CollectorRegistry()))
    answer = await ask(app, "/metrics", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"


# -- several processes


class Connection:
    """A connection that is kept alive, and so leads to one worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def get(self, path: str) -> str:
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        return (await self._reader.readexactly(length)).decode()


@asynccontextmanager
async def connections(server: Running) -> AsyncIterator[dict[int, Connection]]:
    """Yield a connection to each worker, by its process."""
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE):
        found: dict[int, Connection] = {}
        while len(found) < WORKERS:  # who accepts a connection is up to the kernel
            connection = Connection(*await asyncio.open_connection("127.0.0.1", server.port))
            stack.callback(connection.writer.close)
            found[int(await connection.get("/"))] = connection
        yield found


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    command = f"uvicorn tests.middleware.counted:app --fd {{fd}} --workers {WORKERS}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path_factory.mktemp("metrics")))
        with _started("uvicorn", command, ()) as server:
            yield server


def read(page: str, name: str, **labels: str) -> float:
    """Return the value of a sample, 0 where there is none."""
    return sum(
        float(sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    )


async def test_every_worker_tells_of_all_and_gauges_forget_one_that_was_killed(workers: Running) -> None:
    users = {"method": "GET", "route": "/users/:id", "status": "200"}
    async with connections(workers) as found:
        for number, connection in enumerate(found.values()):
            for _ in range(number + 1):
                await connection.get("/users/7")
        pages = [await connection.get("/metrics") for connection in found.values()]
        assert [read(page, "http_requests_total", **users) for page in pages] == [1 + 2 + 3] * WORKERS
        assert [read(page, "http_request_duration_seconds_count", **users) for page in pages] == [6] * WORKERS
        assert [read(page, "http_response_body_bytes_total", **users) for page in pages] == [60] * WORKERS

        (killed, held), (_, asking) = list(found.items())[:2]
        held.writer.write(b"POST /hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n")
        while read(await asking.get("/metrics"), "http_requests_in_flight", method="POST") != 1:
            pass
        os.kill(killed, signal.SIGKILL)
        while read(page := await asking.get("/metrics"), "http_requests_in_flight", method="POST") != 0:
            pass
        assert read(page, "http_requests_total", **users) == 6  # what it has counted stays


def test_a_process_lives_if_it_is_there_whoever_it_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _lives(os.getpid())
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not _lives(gone.pid)

    def refused(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refused)  # for who runs the tests as root
    assert _lives(1)


async def test_what_another_worker_has_forgotten_already_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f"gauge_livesum_{gone.pid}.db").write_bytes(b"")
    (tmp_path / f"gauge_livesum_{os.getpid()}.db").write_bytes(bytes(64))
    unlink = Path.unlink

    def first_the_other(path: Path) -> None:
        unlink(path)
        unlink(path)

    monkeypatch.setattr(Path, "unlink", first_the_other)
    assert (await ask(metrics_app())).status == 200
    assert [path.name for path in tmp_path.iterdir()] == [f"gauge_livesum_{os.getpid()}.db"]


@pytest.mark.parametrize("make", [Metrics, metrics_app])
def test_a_directory_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Any) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "none"))
    with pytest.raises(ValueError, match=r"Metrics: PROMETHEUS_MULTIPROC_DIR is '.*none', which is no directory"):
        make()


# -- clients that leave, over a real connection


async def settled(registry: CollectorRegistry, **labels: str) -> float:
    """Return how often a request was counted, once it was."""
    async with asyncio.timeout(PATIENCE):
        while not (found := registry.get_sample_value("http_requests_total", labels)):
            await asyncio.sleep(0)
    return found


async def test_a_listener_that_leaves_a_stream_and_a_client_that_leaves_its_request_behind_uvicorn() -> None:
    registry, app = CollectorRegistry(), Express()
    app.use(Metrics(registry=registry))

    @app.get("/events")
    async def events(req: Any, res: Any) -> None:
        while True:
            await res.write(b"event\n")

    @app.post("/upload")
    async def upload(req: Any, res: Any) -> None:
        res.json(len(await req.read()))

    async with Server(app, port=0, host="127.0.0.1") as server, asyncio.timeout(PATIENCE):
        for request, answer in (
            (b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n", b"event\n"),
            (b"POST /upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", b"100 Continue"),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request)
            await reader.readuntil(answer)
            writer.transport.abort()
        assert await settled(registry, method="GET", route="/events", status="200") == 1
        assert await settled(registry, method="POST", route="/upload", status="499") == 1
    assert registry.get_sample_value("http_requests_in_flight", {"method": "GET"}) == 0
    assert registry.get_sample_value("http_requests_in_flight", {"method": "POST"}) == 0

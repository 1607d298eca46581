"""A sample of the recorded answers, given again by a real server over a real connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import uvicorn

from asgi_express import Express
from tests.conformance.bodies import JSON
from tests.conformance.driver import Answer, body_pieces, disagreements, header_lines, header_table, recorded_answer
from tests.conformance.interpreter import Style, build_app
from tests.conformance.test_replay import PROGRAMS

SAMPLE = 150


class Sampled(NamedTuple):
    """One recorded request and the program that it is put to."""

    program: str
    request: dict[str, JSON]


def _fit_for_servers() -> Iterator[Sampled]:
    """Requests that every server passes on as they are: full targets are cut to their path by some parsers."""
    for name, (program, _) in PROGRAMS.items():
        for request in program["requests"]:
            if request["target"].startswith("/") and "difference" not in {**program, **request}:
                yield Sampled(name, request)


def sample() -> list[Sampled]:
    """Return the requests to send, spread evenly over all files."""
    fit = list(_fit_for_servers())
    return fit[:: len(fit) // SAMPLE][:SAMPLE]


class Switch:
    """Serves many programs on one port: the request names its program in a header."""

    def __init__(self, apps: list[Express]) -> None:
        self.apps = apps

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.apps[int(dict(scope["headers"])[b"x-program"])](scope, receive, send)


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    """Serve an application with uvicorn on a free port of the loopback interface."""
    listener = socket.create_server(("127.0.0.1", 0))
    # Who asks is up to the application, not to the server.
    quiet: dict[str, Any] = {"lifespan": "off", "log_level": "critical", "date_header": False, "server_header": False}
    config = uvicorn.Config(app, proxy_headers=False, **quiet)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def send_request(port: int, request: dict[str, JSON], headers: dict[str, str]) -> Answer:
    """Send one request on a connection of its own, byte for byte, and read the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = [("Connection", "close"), *header_lines(request), *headers.items()]
    head = [f"{request['method']} {request['target']} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
    writer.write(_body(request))
    async with asyncio.timeout(10):
        content = await reader.read()
    writer.close()
    await writer.wait_closed()
    return parse(content)


def _body(request: dict[str, JSON]) -> bytes:
    pieces = [piece for piece in body_pieces(request) if piece]
    if "chunks" not in request:
        return b"".join(pieces)
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def parse(content: bytes) -> Answer:
    """Take an HTTP/1.1 answer apart."""
    head, _, body = content.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    fields = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    if (b"transfer-encoding", b"chunked") in fields:
        body = _unchunked(body)
    return Answer(int(status.split(b" ")[1]), header_table(fields), body)


def _unchunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    while True:
        size, _, rest = body.partition(b"\r\n")
        if not int(size, 16):
            return b"".join(parts)
        parts.append(rest[: int(size, 16)])
        body = rest[int(size, 16) + 2 :]


async def test_a_sample_of_the_requests_is_answered_alike_by_a_real_server() -> None:
    sampled = sample()
    assert len(sampled) == SAMPLE
    names = list(dict.fromkeys(name for name, _ in sampled))
    apps = [build_app(PROGRAMS[name].program, Style.PLAIN) for name in names]
    complaints = []
    async with serving(Switch(apps)) as port:
        for name, request in sampled:
            actual = await send_request(port, request, {"X-Program": str(names.index(name))})
            found = disagreements(recorded_answer(request, PROGRAMS[name].header_sets), actual)
            complaints += [f"{name}: {request['method']} {request['target']}: {line}" for line in found]
    assert not complaints, "\n".join(complaints)

"""Four uvicorn workers, one limit in a real Redis, and clients that come to all of them at once over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.middleware.shared_limit import ALGORITHMS, LIMIT
from tests.servers.running import Running, _started
from tests.stores.redis_server import RedisServer, running_redis

WORKERS = 4
CONNECTIONS = 24
EACH = 10
"""Requests on each connection: four times as many as may pass."""

PATIENCE = 60.0


class Answer(NamedTuple):
    status: int
    worker: str
    retry_after: str


class Connection:
    """A connection that is kept alive, and so leads to one worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, text: str) -> None:
        self._writer.write(text.encode())

    async def hear(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        await self._reader.readexactly(int(headers["content-length"]))
        return Answer(int(status.split()[1]), headers.get("x-worker", ""), headers.get("retry-after", ""))

    async def get(self, path: str) -> Answer:
        self.say(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return await self.hear()

    def close(self) -> None:
        self._writer.close()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def workers(redis_server: RedisServer) -> Iterator[Running]:
    command = f"uvicorn tests.middleware.shared_limit:app --fd {{fd}} --workers {WORKERS}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMITS_REDIS", redis_server.url)
        with _started("uvicorn", command, ()) as server:
            yield server


@asynccontextmanager
async def door(workers: Running) -> AsyncIterator[Callable[[], Awaitable[Connection]]]:
    """Yield what opens connections; all are closed at the end."""
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE):

        async def connect() -> Connection:
            connection = Connection(*await asyncio.open_connection("127.0.0.1", workers.port))
            stack.callback(connection.close)
            return connection

        yield connect


async def to_each(connect: Callable[[], Awaitable[Connection]]) -> dict[str, list[Connection]]:
    """Return connections by worker, to each the same number."""
    found: dict[str, list[Connection]] = {}

    async def find() -> None:
        connection = await connect()
        found.setdefault((await connection.get("/")).worker, []).append(connection)

    # Who accepts a connection is up to the kernel: go on until each of them has enough.
    while len(found) < WORKERS or min(map(len, found.values())) < CONNECTIONS // WORKERS:
        await asyncio.gather(*(find() for _ in range(CONNECTIONS)))
    return {worker: each[: CONNECTIONS // WORKERS] for worker, each in found.items()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_four_uvicorn_workers_admit_exactly_the_limit(workers: Running, algorithm: str) -> None:
    async def come(connection: Connection) -> list[Answer]:
        return [await connection.get(f"/{algorithm}") for _ in range(EACH)]

    async with door(workers) as connect:
        found = await to_each(connect)
        # The load may be over before a worker has had its turn: each of them admits one first.
        first = [await many[0].get(f"/{algorithm}") for many in found.values()]
        each = await asyncio.gather(*(come(connection) for many in found.values() for connection in many))
    answers = [*first, *(answer for some in each for answer in some)]
    assert len(answers) == WORKERS + CONNECTIONS * EACH
    admitted = [answer for answer in answers if answer.status == 200]
    assert len(admitted) == LIMIT
    assert {answer.worker for answer in admitted} == set(found)
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) == len(answers) - LIMIT
    assert all(int(answer.retry_after) > 0 for answer in refused)


async def test_four_uvicorn_workers_run_exactly_the_limit_at_once(workers: Running) -> None:
    async with door(workers) as connect:
        connections = [await connect() for _ in range(3 * LIMIT)]
        for connection in connections:
            connection.say("POST /concurrency HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1")
        hearing = {asyncio.create_task(connection.hear()): connection for connection in connections}
        # Who was admitted waits for the rest of his body, so that the first to answer are the others.
        arriving = asyncio.as_completed(list(hearing))
        refused = [await next(arriving) for _ in range(2 * LIMIT)]
        assert {answer.status for answer in refused} == {429}
        waiting = [task for task in hearing if not task.done()]
        for task in waiting:
            hearing[task].say("2")
        admitted = await asyncio.gather(*waiting)
        assert [answer.status for answer in admitted] == [200] * LIMIT


async def test_four_uvicorn_workers_admit_exactly_the_limit_of_handshakes(workers: Running) -> None:
    async def come() -> tuple[int, bool]:
        try:
            async with connect(f"ws://127.0.0.1:{workers.port}/handshakes", open_timeout=PATIENCE):
                return 101, False
        except InvalidStatus as refused:
            return refused.response.status_code, "Retry-After" in refused.response.headers

    answers = await asyncio.gather(*(come() for _ in range(2 * LIMIT)))
    assert sorted(answers) == [(101, False)] * LIMIT + [(429, True)] * LIMIT


async def test_four_uvicorn_workers_admit_exactly_the_limit_of_messages(workers: Running) -> None:
    async def chat() -> tuple[int, int]:
        heard = 0
        async with connect(f"ws://127.0.0.1:{workers.port}/messages?room=1", open_timeout=PATIENCE) as socket:
            with contextlib.suppress(ConnectionClosed):
                for number in range(LIMIT + 1):
                    await socket.send(str(number))
                    assert await socket.recv() == str(number)
                    heard += 1
        assert socket.close_code is not None
        return heard, socket.close_code

    chats = await asyncio.gather(*(chat() for _ in range(CONNECTIONS)))
    assert sum(heard for heard, _ in chats) == LIMIT
    assert {code for _, code in chats} == {1008}

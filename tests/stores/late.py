"""Something between a client and Redis that can hold back what Redis says."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.stores.redis_server import RedisServer


class Late:
    """A proxy before a server; a context manager.

    Attributes:
        url: what clients connect to.
        delay: seconds that each reply is held back.
    """

    def __init__(self, server: RedisServer) -> None:
        self.delay = 0.0
        self._far = Path(server.url.removeprefix("unix://"))
        self._path = self._far.with_name("late.sock")
        self.url = f"unix://{self._path}"
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Late:
        self._listener = await asyncio.start_unix_server(self._accept, self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(self._far)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._copy(reader, far_writer, late=False), self._copy(far_reader, writer, late=True))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool) -> None:
        try:
            while data := await reader.read(65536):
                if late and self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
        except ConnectionError:
            pass  # one end is gone: so is the other
        finally:
            writer.close()

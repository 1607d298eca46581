"""What serves between two reloads."""

from __future__ import annotations

import asyncio

from asgi_express._scope import PROCESSES
from asgi_express.gateway._build import Build
from asgi_express.gateway._objects import serving
from asgi_express.types import ASGIApp, Receive, Scope, Send

__all__ = ["Generation"]


class Generation:
    """One build, the requests that it is handling, and its lifespan in a task of its own.

    Contexts of asynchronous libraries must be left by the task that entered them, and a reload does not run in the task
    that started the server.
    """

    def __init__(self, made: Build) -> None:
        self.made = made
        self._requests = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start what was built.

        Raises:
            ExpressError: it cannot.
        """
        ready = asyncio.get_running_loop().create_future()
        self._task = task = asyncio.ensure_future(self._run(ready))
        try:
            await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                await task
        except BaseException:
            task.cancel()
            await asyncio.wait([task])
            self.made.objects.modules.close()
            raise

    async def _run(self, ready: asyncio.Future[None]) -> None:
        async with self.made.running():
            ready.set_result(None)
            await self._stop.wait()

    async def serve(self, service: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        processes = scope[PROCESSES] = self.made.processes[service]
        self._requests += 1
        self._idle.clear()
        try:
            with serving(self.made.objects, processes):
                await app(scope, receive, send)
        finally:
            self._requests -= 1
            if not self._requests:
                self._idle.set()

    def hurry(self) -> None:
        """Wait for no request: the server has seen to those."""
        self._idle.set()

    async def stop(self) -> None:
        """Stop what was built, when its requests are over."""
        await self._idle.wait()
        self._stop.set()
        try:
            if self._task is not None:
                await self._task
        finally:
            self.made.objects.modules.close()

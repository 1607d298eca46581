"""Start and stop everything that is mounted: in order, with a roll-back when one fails.

Starlette, FastAPI and most hosts never run the lifespan of a mounted app (Starlette discussion 1130,
issue 649). Here each ASGI app on any stack gets a lifespan of its own in a task of its own, with a ``state`` of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from asgi_express.errors import ExpressError
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LifespanError", "serve_lifespan", "started"]

_log = logging.getLogger("asgi_express")


class LifespanError(ExpressError):
    """A mounted app said that it could not start or stop."""


@asynccontextmanager
async def started(apps: Iterable[ASGIApp]) -> AsyncIterator[dict[int, dict[str, Any]]]:
    """Start apps in order; stop those that started in reverse order, whatever happens.

    Yields:
        The state of each app, by its ``id``.

    Raises:
        LifespanError: an app failed to start (those before it were stopped), or to stop (the others were stopped).
    """
    states: dict[int, dict[str, Any]] = {}
    async with AsyncExitStack() as stack:
        for app in apps:
            if id(app) not in states:
                states[id(app)] = await stack.enter_async_context(_running(app))
        yield states


@asynccontextmanager
async def _running(app: ASGIApp) -> AsyncIterator[dict[str, Any]]:
    """Run the lifespan of one app around a block."""
    state: dict[str, Any] = {}
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}

    async def run() -> None:
        try:
            await app(scope, to_app.get, from_app.put)
        except Exception as error:  # noqa: BLE001 - judged below, by when it came
            await from_app.put({"type": "error", "error": error})
        else:
            await from_app.put({"type": "returned"})

    task = asyncio.ensure_future(run())
    try:
        await to_app.put({"type": "lifespan.startup"})
        answer = await from_app.get()
        alive = answer["type"] == "lifespan.startup.complete"
        if answer["type"] == "lifespan.startup.failed":
            msg = f"{_name(app)} failed to start: {answer.get('message') or 'it gave no reason'}"
            raise LifespanError(msg)
        if not alive:
            # An app that raises before it answers does not know of lifespans (ASGI specification, lifespan scope).
            _log.debug("%s has no lifespan", _name(app), exc_info=answer.get("error"))
        yield state
        if alive:
            await to_app.put({"type": "lifespan.shutdown"})
            answer = await from_app.get()
            if answer["type"] in ("lifespan.shutdown.failed", "error"):
                msg = f"{_name(app)} failed to stop: {answer.get('message') or answer.get('error')}"
                raise LifespanError(msg)
    except BaseException:
        if not task.done():
            # The block around it failed: the app is still told to stop.
            await to_app.put({"type": "lifespan.shutdown"})
        raise
    finally:
        await asyncio.wait([task], timeout=None if task.done() else _PATIENCE)
        task.cancel()


# Seconds that an app has to return once it has answered its shutdown.
_PATIENCE = 10


async def serve_lifespan(context: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a server's lifespan with an asynchronous context manager.

    Args:
        context: entered at startup and left at shutdown; what it yields goes into the ``state`` of the scope.
        scope: the lifespan scope.
        receive: the server's ``receive``.
        send: the server's ``send``.
    """
    await receive()
    phase = "startup"
    try:
        async with context as state:
            if state:
                scope.setdefault("state", {}).update(state)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            phase = "shutdown"
    except BaseException as error:
        await send({"type": f"lifespan.{phase}.failed", "message": f"{type(error).__name__}: {error}"})
        raise
    await send({"type": "lifespan.shutdown.complete"})


def _name(app: Any) -> str:
    owner = app if hasattr(app, "__qualname__") else type(app)
    return f"{owner.__module__}.{owner.__qualname__}"

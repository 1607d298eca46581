"""Start and stop everything that is mounted: in order, with a roll-back when one fails.

Starlette, FastAPI and most hosts never run the lifespan of a mounted app (Starlette issue 649). Here each
ASGI app on any stack gets a lifespan of its own in a task of its own, with a ``state`` of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from asgi_express._handlers import APP, name_of
from asgi_express._scope import ROUTER
from asgi_express.errors import ExpressError
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from asgi_express.router import Router

__all__ = ["LifespanError", "lifespans", "serve_lifespan", "started"]

_log = logging.getLogger("asgi_express")

# Seconds that an app has to answer its shutdown, and then to return.
_PATIENCE = 10.0

# Seconds of a start until the log says for whom it is that everything waits. There is no end to it here: an app may
# have a database to migrate, and who may wait no longer puts `asyncio.timeout` around the lifespan.
_LATE = 10.0


class LifespanError(ExpressError):
    """A mounted app said that it could not start or stop."""


@asynccontextmanager
async def lifespans(router: Router) -> AsyncIterator[dict[str, Any] | None]:
    """Run the lifespans of a router, of the routers below it and of all mounted apps around a block.

    Yields:
        What the lifespans of the routers have yielded, the outermost last; ``None`` where that is nothing.

    Raises:
        LifespanError: a mounted app failed; those that had started were stopped.
    """
    async with AsyncExitStack() as stack:
        states: dict[str, Any] = {}
        for each in router._routers():
            if each._lifespan is not None:
                own = await stack.enter_async_context(each._lifespan(each))
                states = {**(own or {}), **states}
        behind = {id(handler.fn): each for each in router._routers() for handler in each.post_handlers}
        # A lifespan may have mounted more.
        router.lifespan_states = await stack.enter_async_context(started(_apps(router), behind))
        stack.callback(router.lifespan_states.clear)
        # Starlette takes anything but None for a state, and fails where the server keeps none.
        yield states or None


def _apps(root: Router) -> Iterator[ASGIApp]:
    """Give the ASGI apps on all stacks, in the order of registration."""
    for router in root._routers():
        for layer in router.stack:
            handlers = (layer.handler,) if layer.handler else layer.route._stack if layer.route else ()
            yield from (handler.fn for handler in handlers if handler.kind == APP)
        yield from (handler.fn for handler in router.post_handlers if handler.kind == APP)


@asynccontextmanager
async def started(
    apps: Iterable[ASGIApp], routers: Mapping[int, object] = MappingProxyType({})
) -> AsyncIterator[dict[int, dict[str, Any]]]:
    """Start apps in order; stop those that started in reverse order, whatever happens.

    Args:
        apps: the apps.
        routers: the router whose matches an app stands behind, by the ``id`` of the app.

    Yields:
        The state of each app, by its ``id``.

    Raises:
        LifespanError: an app failed to start (those before it were stopped), or to stop (the others were stopped).
    """
    states: dict[int, dict[str, Any]] = {}
    async with AsyncExitStack() as stack:
        for app in apps:
            if id(app) not in states:
                states[id(app)] = await stack.enter_async_context(_running(app, routers.get(id(app))))
        yield states


class _Lifespan:
    """The lifespan of one app, in a task of its own.

    Attributes:
        state: what the app put into its ``state``.
    """

    def __init__(self, app: ASGIApp, router: object) -> None:
        self.state: dict[str, Any] = {}
        self._router = router
        self._app = app
        self._alive = False
        self._patience = 0.0
        self._error: BaseException | None = None
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()

    async def start(self) -> None:
        """Start the app; one that does not know of lifespans is left alone.

        Raises:
            LifespanError: it said that it cannot.
        """
        self._task = asyncio.ensure_future(self._run())
        self._to_app.put_nowait({"type": "lifespan.startup"})
        words = "%s has not started within %g seconds; it is waited for"
        late = asyncio.get_running_loop().call_later(_LATE, _log.warning, words, name_of(self._app), _LATE)
        try:
            answer = await self._from_app.get()
        finally:
            late.cancel()
        if answer["type"] == "lifespan.startup.failed":
            self._patience = _PATIENCE
            await self._end()
            msg = f"{name_of(self._app)} failed to start: {answer.get('message') or 'it gave no reason'}"
            raise LifespanError(msg) from self._error
        self._alive = answer["type"] == "lifespan.startup.complete"
        if not self._alive:
            # An app that raises before it answers does not know of lifespans (ASGI specification, lifespan scope).
            _log.debug("%s has no lifespan", name_of(self._app), exc_info=self._error)

    async def stop(self) -> None:
        """Stop the app, within a few seconds.

        Raises:
            LifespanError: it said that it cannot, raised, or did not answer.
        """
        failure = None
        if self._alive:
            self._patience = _PATIENCE
            self._to_app.put_nowait({"type": "lifespan.shutdown"})
            try:
                async with asyncio.timeout(_PATIENCE):
                    answer = await self._from_app.get()
            except TimeoutError:
                self._patience = 0.0
                failure = f"it did not answer within {_PATIENCE:g} seconds"
            else:
                if answer["type"] in ("lifespan.shutdown.failed", "error"):
                    failure = answer.get("message") or "it gave no reason"
        await self._end()
        if failure:
            msg = f"{name_of(self._app)} failed to stop: {failure}"
            raise LifespanError(msg) from self._error

    async def _run(self) -> None:
        scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
        scope["state"] = self.state
        if self._router is not None:
            scope[ROUTER] = self._router
        try:
            await self._app(scope, self._to_app.get, self._put)
        except BaseException as error:
            self._error = error
            await self._put({"type": "error", "message": repr(error)})
            if not isinstance(error, Exception):
                raise
        else:
            await self._put({"type": "returned"})

    async def _put(self, message: Message) -> None:
        self._from_app.put_nowait(message)

    async def _end(self) -> None:
        """Let the task return if it may, else cancel it; in any case see it end."""
        try:
            await asyncio.wait([self._task], timeout=self._patience)
        finally:
            self._task.cancel()
        await asyncio.wait([self._task], timeout=_PATIENCE)


@asynccontextmanager
async def _running(app: ASGIApp, router: object) -> AsyncIterator[dict[str, Any]]:
    """Run the lifespan of one app around a block."""
    lifespan = _Lifespan(app, router)
    try:
        await lifespan.start()
        yield lifespan.state
    except BaseException:
        try:
            await lifespan.stop()
        except LifespanError as error:
            # What went wrong first is what the caller is to see.
            _log.exception("%s", error)
        raise
    await lifespan.stop()


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
            phase = "shutdown"
            await receive()
    except asyncio.CancelledError:
        raise  # the server is going down; there is nobody to tell
    except BaseException as error:
        await send({"type": f"lifespan.{phase}.failed", "message": f"{type(error).__name__}: {error}"})
        raise
    await send({"type": "lifespan.shutdown.complete"})

"""Serve the services of a gateway side by side, in one process, until a signal."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from asgi_express.cli._failure import Failure
from asgi_express.cli._output import say
from asgi_express.errors import ExpressError
from asgi_express.gateway import Gateway, Service
from asgi_express.gateway.reloading import on_hangup, reloading
from asgi_express.server import Server

__all__ = ["serve_gateway"]


def serve_gateway(find: Callable[[], Gateway], *, services: tuple[str, ...], reload: bool) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        find: returns the gateway.
        services: which of its services; without any, those that start by themselves.
        reload: whether a changed file is a reason to reload; SIGHUP always is.

    Raises:
        Failure: there is no such service, or something does not start.
    """
    early = asyncio.Event()
    with on_hangup(early.set):  # the default would end a gateway that starts or stops
        gateway = find()
        chosen = _chosen(gateway, services)
        logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s", stream=sys.stderr)
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # what comes of a change is told
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(gateway, chosen, reload=reload, early=early))


def _chosen(gateway: Gateway, names: tuple[str, ...]) -> list[Service]:
    known = {service.id: service for service in gateway.services}
    for name in names:
        if name not in known:
            msg = f"there is no service {name!r}; there are {', '.join(known) or 'none'}"
            raise Failure(msg)
    chosen = [known[name] for name in names] or [service for service in known.values() if service.auto_start]
    if not chosen:
        msg = "no service starts by itself (lifecycle.auto_start); name one with --service"
        raise Failure(msg)
    return chosen


async def _serve(gateway: Gateway, services: list[Service], *, reload: bool, early: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
            stack.callback(loop.remove_signal_handler, number)
        try:
            await stack.enter_async_context(gateway.lifespan_context())
        except ExpressError as error:
            raise Failure(str(error)) from error
        for service in services:
            server = await stack.enter_async_context(_server(service))
            say(f"{service.id} listens on {server.url}")
        await stack.enter_async_context(reloading(gateway, watch=reload))
        if early.is_set():  # what has changed since may not have been read
            signal.raise_signal(signal.SIGHUP)
        await stop.wait()


@asynccontextmanager
async def _server(service: Service) -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory(prefix="asgi-express-") as directory:
        options: dict[str, Any] = {"log_level": "info", **service.uvicorn_options(directory), "lifespan": "off"}
        host, port = options.pop("host"), options.pop("port")
        try:
            server = await Server(service.app, host=host, port=port, **options).__aenter__()
        except (OSError, ImportError) as error:
            msg = f"{service.id} cannot listen on {host}:{port}: {error}"
            raise Failure(msg) from error
        try:
            yield server
        finally:
            await server.__aexit__(None, None, None)

"""Serve an application over uvicorn: alone, or inside a running program."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from asgi_express.errors import MisuseError
from asgi_express.types import ASGIApp

if TYPE_CHECKING:
    import uvicorn

__all__ = ["Server", "listen"]

_FAILED = "the application failed to start; the log says why"


def _config(app: ASGIApp, options: dict[str, Any]) -> uvicorn.Config:
    try:
        import uvicorn
    except ImportError as error:
        msg = "serving needs uvicorn: pip install 'asgi-express[server]'"
        raise ImportError(msg) from error
    # uvicorn would put what X-Forwarded-* says in the place of the peer before `trust proxy` is asked.
    return uvicorn.Config(app, **{"proxy_headers": False, **options})


def listen(app: ASGIApp, *, port: int, host: str, sock: socket.socket | None = None, **options: Any) -> None:
    """Serve an app until interrupted, on a socket that is bound already where there is one; it is closed then.

    Raises:
        ImportError: uvicorn is not installed.
        OSError: the address cannot be bound.
        RuntimeError: the application failed to start.

    Example::

        listen(app, port=8000, host="127.0.0.1")
    """
    config = _config(app, {"log_level": "info", **options})
    import uvicorn

    class Alone(uvicorn.Server):
        """Tells where it listens, and leaves the end of the process to the caller."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await _start(super().startup(sockets), self)
            if self.started:
                logging.getLogger("uvicorn.error").info("Listening on %s", _url(config, host, bound))

    server = Alone(config)
    with contextlib.closing(sock or _bind(host, port)) as bound:
        try:
            server.run([bound])
        except KeyboardInterrupt:
            # uvicorn has shut down already, and passes the signal on
            return
    if not server.started:
        raise RuntimeError(_FAILED)


async def _start(startup: Any, server: uvicorn.Server) -> None:
    """Start; where the application cannot, uvicorn ends the process (or, in older releases, the server)."""
    try:
        await startup
    except SystemExit:
        server.should_exit = True


def _bind(host: str, port: int) -> socket.socket:
    """Bind here and not in uvicorn, which ends the process where it cannot."""
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        msg = f"the port must be a number from 0 to 65535, not {port!r}"
        raise ValueError(msg)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where the protocol is named does asyncio set TCP_NODELAY on what is accepted: without, an answer in two
    # writes waits 40 ms for the client's delayed acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _url(config: uvicorn.Config, host: str, bound: socket.socket) -> str:
    scheme = "https" if config.is_ssl else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}"


class Server:
    """A server inside a running program; an asynchronous context manager, for one use.

    Attributes:
        host: the address it listens on.
        port: the port it listens on, known once it has started.
        url: the address to open, known once it has started.

    Example::

        async with Server(app, port=0, host="127.0.0.1") as server:
            print(server.url)
    """

    def __init__(self, app: ASGIApp, *, port: int, host: str, **options: Any) -> None:
        self.host = host
        self.port = port
        self.url = ""
        self._config = _config(app, {"log_level": "warning", **options})
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start listening.

        Raises:
            MisuseError: it was started before.
            OSError: the address cannot be bound.
            RuntimeError: the application failed to start.
        """
        import uvicorn

        class Embedded(uvicorn.Server):
            """Leaves the signals, and the end of the process, to the program around it."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await _start(super().startup(sockets), self)
                ready.set()

            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

        if self._server is not None:
            msg = "a server starts once; make another with app.serve()"
            raise MisuseError(msg)
        bound = _bind(self.host, self.port)
        self.port = bound.getsockname()[1]
        self.url = _url(self._config, self.host, bound)
        ready = asyncio.Event()
        self._server = server = Embedded(self._config)
        self._serving = serving = asyncio.ensure_future(server.serve([bound]))
        serving.add_done_callback(lambda _: ready.set())
        serving.add_done_callback(lambda _: bound.close())
        try:
            await ready.wait()
        except BaseException:
            serving.cancel()
            await asyncio.wait([serving])
            raise
        if not server.started:
            await serving
            raise RuntimeError(_FAILED)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop accepting, finish the requests under way, run the lifespan's end."""
        assert self._server is not None and self._serving is not None  # noqa: S101, PT018 - it was entered
        self._server.should_exit = True
        await self._serving

"""Serve an application over uvicorn: alone, or inside a running program."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from asgi_express.types import ASGIApp

if TYPE_CHECKING:
    import uvicorn
    from typing_extensions import Self

__all__ = ["Server", "listen"]


def _config(app: ASGIApp, options: dict[str, Any]) -> uvicorn.Config:
    try:
        import uvicorn
    except ImportError as error:
        msg = "serving needs uvicorn: pip install 'asgi-express[server]'"
        raise ImportError(msg) from error
    return uvicorn.Config(app, **options)


def listen(app: ASGIApp, *, port: int, host: str, **options: Any) -> None:
    """Serve an app until interrupted.

    Raises:
        ImportError: uvicorn is not installed.
        OSError: the address cannot be bound.
    """
    config = _config(app, {"log_level": "info", **options})
    import uvicorn

    with contextlib.closing(_bind(host, port)) as bound:
        uvicorn.Server(config).run([bound])


def _bind(host: str, port: int) -> socket.socket:
    """Bind here and not in uvicorn, which ends the process where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


class Server:
    """A server inside a running program; an asynchronous context manager.

    Attributes:
        host: the address it listens on.
        port: the port it listens on, known once it has started.
    """

    def __init__(self, app: ASGIApp, *, port: int, host: str, **options: Any) -> None:
        self.host = host
        self.port = port
        self._config = _config(app, {"log_level": "warning", **options})
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None
        self._server: Any = None

    @property
    def url(self) -> str:
        """The address to open."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        """Start listening.

        Raises:
            OSError: the address cannot be bound.
            RuntimeError: the application failed to start.
        """
        import uvicorn

        class Embedded(uvicorn.Server):
            """Leaves the signals to the program around it."""

            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

        self._socket = _bind(self.host, self.port)
        self.port = self._socket.getsockname()[1]
        self._server = server = Embedded(self._config)
        self._task = asyncio.ensure_future(server.serve([self._socket]))
        while not server.started and not self._task.done():
            await asyncio.sleep(0.005)
        if not server.started:
            self._socket.close()
            await self._task
            msg = "the application failed to start; the log says why"
            raise RuntimeError(msg)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop accepting, finish the requests under way, run the lifespan's end."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        if self._socket is not None:
            self._socket.close()

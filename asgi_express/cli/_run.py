"""Run an application under one of three servers."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from asgi_express.cli._failure import Failure

__all__ = ["SERVERS", "run"]


def run(target: str, *, server: str, host: str, port: int, workers: int, reload: bool) -> None:
    """Run ``module:app`` until a signal.

    Raises:
        Failure: the server is not installed, or the address is in use.
    """
    if port:
        _check_address(host, port)
    try:
        SERVERS[server](target, host, port, workers, reload)
    except ImportError as error:
        extra = "'asgi-express[server]'" if server == "uvicorn" else server
        msg = f"{server} cannot be imported ({error}): pip install {extra}"
        raise Failure(msg) from error


def _check_address(host: str, port: int) -> None:
    """Say it in words, and before any worker is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            msg = f"cannot listen on {host}:{port}: {error.strerror or error}"
            raise Failure(msg) from error


def _uvicorn(target: str, host: str, port: int, workers: int, reload: bool) -> None:  # noqa: FBT001 - one shape for all
    import uvicorn

    # What X-Forwarded-* says is not believed before `trust proxy` is asked: as in app.listen().
    options: dict[str, Any] = {"proxy_headers": False, "app_dir": str(Path.cwd())}
    # When it has shut down, uvicorn sends itself the signal once more. A process manager that asked it to stop would
    # take 143 for a failure: the others end with 0.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        uvicorn.run(target, host=host, port=port, workers=workers, reload=reload, **options)
    finally:
        signal.signal(signal.SIGTERM, before)


def _granian(target: str, host: str, port: int, workers: int, reload: bool) -> None:  # noqa: FBT001 - one shape for all
    from granian.constants import Interfaces
    from granian.server import Server

    Server(target, address=host, port=port, interface=Interfaces.ASGI, workers=workers, reload=reload).serve()


def _hypercorn(target: str, host: str, port: int, workers: int, reload: bool) -> None:  # noqa: FBT001 - one shape for all
    from hypercorn.config import Config
    from hypercorn.run import run as serve

    config = Config()
    config.application_path = target
    config.bind = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    config.workers = workers
    config.use_reloader = reload
    config.errorlog = "-"
    serve(config)


SERVERS: dict[str, Callable[[str, str, int, int, bool], None]] = {
    "uvicorn": _uvicorn,
    "granian": _granian,
    "hypercorn": _hypercorn,
}
"""How each server is started."""

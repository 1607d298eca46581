"""The two ways in: serve files, or say what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from asgi_express.gateway._gateway import Gateway
from asgi_express.gateway._make import make
from asgi_express.gateway._problems import GatewayError, Problem
from asgi_express.gateway._sources import Source

__all__ = ["check", "load"]


def load(
    *sources: Source,
    environment: Mapping[str, str] | None = None,
    middleware: Mapping[str, Callable[..., Any]] | None = None,
) -> Gateway:
    """Return the ASGI app that files of entries describe.

    Args:
        *sources: files, directories (all ``.yaml`` and ``.yml`` files in them), or the text of a file. Together they
            are one registry.
        environment: where placeholders and ``env.variable`` look; ``os.environ`` by default.
        middleware: further middleware by name, besides what is registered.

    Raises:
        GatewayError: something is wrong; it holds every problem, with file, line, entry and advice.
        ImportError: PyYAML is not installed.

    Example::

        app = load("app.yaml")
        app.services[0].url  # -> "http://127.0.0.1:8080"
    """
    return Gateway(sources, environment=environment, middleware=middleware)


def check(
    *sources: Source,
    environment: Mapping[str, str] | None = None,
    middleware: Mapping[str, Callable[..., Any]] | None = None,
) -> list[Problem]:
    """Return everything that is wrong with files, in order. It does what ``load`` does, modules are imported too.

    Args:
        *sources: as for :func:`load`.
        environment: as for :func:`load`.
        middleware: as for :func:`load`.

    Raises:
        ImportError: PyYAML is not installed.

    Example::

        check("app.yaml")  # -> []
    """
    try:
        make(sources, environment, middleware).objects.modules.close()
    except GatewayError as error:
        return list(error.problems)
    return []

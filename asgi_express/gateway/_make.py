"""From files to what they say, or to all that is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from asgi_express.gateway._build import Build, build
from asgi_express.gateway._middleware import available, read_stacks
from asgi_express.gateway._problems import GatewayError, Problems
from asgi_express.gateway._references import check_references
from asgi_express.gateway._registry import read_registry
from asgi_express.gateway._routes import read_mounts
from asgi_express.gateway._sources import Source, read_sources

__all__ = ["make"]


def make(
    sources: tuple[Source, ...],
    environment: Mapping[str, str] | None,
    middleware: Mapping[str, Callable[..., Any]] | None,
) -> Build:
    """Read the files, check them as a whole, and make what they say.

    Raises:
        GatewayError: something is wrong.
        TypeError: there are no files.
    """
    if not sources:
        msg = "load() needs a file, a directory, or the text of a file"
        raise TypeError(msg)
    problems = Problems()
    documents = read_sources(sources, problems)
    registry = read_registry(documents, os.environ if environment is None else environment, problems)
    stacks = read_stacks(registry, available(middleware))
    check_references(registry)
    made = build(registry, stacks, read_mounts(registry))
    if not problems and not made.services:
        name = documents[0].name
        problems.add("missing-field", "there is no http.service", file=name, line=1, suggestion="add one")
    if problems:
        made.objects.modules.close()
        raise GatewayError(problems, made.seen)
    return made

"""One place on the stack of a router: which paths it is for, and what stands there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from asgi_express._handlers import ERROR, Handler
from asgi_express._pattern import Match, Pattern, compile_path
from asgi_express.types import PathSpec

if TYPE_CHECKING:
    from asgi_express.route import Route
    from asgi_express.router import Router

__all__ = ["Layer"]


class Layer:
    """One place on the stack of a router. Exactly one of ``handler``, ``route`` and ``router`` is set.

    Attributes:
        anywhere: the handler, where it is middleware for every path: there is nothing to match, to take off the path
            or to restore.
        match: returns the first match of its paths with the path of a request; raises ``DecodeError`` where a
            parameter cannot be decoded.
        path: the path as it was registered; a pattern that was compiled elsewhere is taken as it is.
        handler: a handler or an ASGI app.
        name: what ``url_for`` and tools know a mount by; a route has a name of its own.
        route: the handlers of one path, by method.
        router: a router, or an application, walked in its turn.
    """

    __slots__ = ("anywhere", "handler", "match", "name", "path", "patterns", "route", "router")

    def __init__(
        self,
        path: PathSpec | Pattern,
        *,
        end: bool,
        strict: bool = False,
        case_sensitive: bool = False,
        handler: Handler | None = None,
        route: Route | None = None,
        router: Router | None = None,
        name: str | None = None,
    ) -> None:
        self.path: PathSpec = path.source if isinstance(path, Pattern) else path
        self.name = name
        self.handler = handler
        self.route = route
        self.router = router
        self.patterns: tuple[Pattern, ...] = (
            (path,)
            if isinstance(path, Pattern)
            else compile_path(path, end=end, strict=strict, case_sensitive=case_sensitive)
        )
        is_middleware = handler is not None and handler.kind != ERROR and not handler.opaque
        self.anywhere = handler if is_middleware and path == "/" and not end else None
        # Nearly always there is one path: its own method, without a call around it.
        self.match: Callable[[str], Match | None] = self.patterns[0].match if len(self.patterns) == 1 else self._match

    def _match(self, path: str) -> Match | None:
        for pattern in self.patterns:
            match = pattern.match(path)
            if match is not None:
                return match
        return None

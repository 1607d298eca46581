"""What a handler gets as ``next``."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from asgi_express._handlers import Handler
from asgi_express.errors import MisuseError

if TYPE_CHECKING:
    from asgi_express._dispatch import Walk

__all__ = ["Continuation"]


class Continuation:
    """What a handler gets as ``next``; one for each call of a handler."""

    __slots__ = ("_handler", "_walk", "state", "value")

    FRESH, CALLED, RAN, OVER = range(4)

    def __init__(self, walk: Walk, handler: Handler) -> None:
        self._walk = walk
        self._handler = handler
        self.state = self.FRESH
        self.value: Any = None

    def __call__(self, signal: Any = None, /) -> Continuation:
        if self.state:
            when = "after the handler was over" if self.state == self.OVER else "twice"
            msg = f"next() was called {when} by {self._handler.name}"
            raise MisuseError(msg)
        self.state = self.CALLED
        self.value = signal
        waiter = self._walk.res._waiter
        if waiter is not None:
            waiter.set()
        return self

    def __await__(self) -> Generator[Any, None, None]:
        if self.state != self.CALLED:
            msg = f"next() was awaited twice, or too late, by {self._handler.name}"
            raise MisuseError(msg)
        self._walk.check_depth(self._handler)
        self.state = self.RAN
        return self._walk.run_inside(self.value).__await__()

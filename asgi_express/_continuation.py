"""What a handler gets as ``next``."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from asgi_express._handlers import Handler
from asgi_express.errors import MisuseError

if TYPE_CHECKING:
    from asgi_express._dispatch import Walk

__all__ = ["CALLED", "FRESH", "OVER", "RAN", "Continuation"]

# What has become of it. Names of the module: an attribute of a class takes 0.03 us to look up.
FRESH, CALLED, RAN, OVER = range(4)


class Continuation:
    """What a handler gets as ``next``; one for each call of a handler."""

    __slots__ = ("_handler", "_walk", "state", "value")

    def __init__(self, walk: Walk, handler: Handler) -> None:
        self._walk = walk
        self._handler = handler
        self.state = FRESH
        self.value: Any = None

    def __call__(self, signal: Any = None, /) -> Continuation:
        if self.state:
            when = "after the handler was over" if self.state == OVER else "twice"
            msg = f"next() was called {when} by {self._handler.name}"
            raise MisuseError(msg)
        self.state = CALLED
        self.value = signal
        waiter = self._walk.res._waiter
        if waiter is not None:
            waiter.set()
        return self

    def __await__(self) -> Generator[Any, None, None]:
        if self.state != CALLED:
            msg = f"next() was awaited twice, or too late, by {self._handler.name}"
            raise MisuseError(msg)
        self._walk.check_depth(self._handler)
        self.state = RAN
        return self._walk.run_inside(self.value).__await__()

"""Listeners by event name: the part of Node's emitter that ``app``, ``req`` and ``res`` offer."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

__all__ = ["Events", "Listener"]

Listener = Callable[..., Any]

_log = logging.getLogger("asgi_express")


class Events:
    """Listeners by event name."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    def add(self, event: str, listener: Listener) -> None:
        """Add a listener; it is called in the order of adding."""
        if not callable(listener):
            msg = f"on({event!r}): the listener must be callable, got {listener!r}"
            raise TypeError(msg)
        self._listeners.setdefault(event, []).append(listener)

    def emit(self, event: str, *args: Any) -> None:
        """Call the listeners; an error of one reaches the caller."""
        for listener in list(self._listeners.get(event, ())):
            listener(*args)

    async def settle(self, event: str, *args: Any) -> None:
        """Call the listeners once, plain or ``async``, and forget them; an error is logged and stops no other."""
        for listener in self._listeners.pop(event, ()):
            try:
                result = listener(*args)
                if inspect.isawaitable(result):
                    await result
            except Exception:
                _log.exception("a listener of %r failed", event)

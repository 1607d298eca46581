"""The ASGI aliases and the protocols that the whole package speaks.

``Scope``, ``Message``, ``Receive``, ``Send`` and ``ASGIApp`` are the shapes of the
ASGI specification 3.0, spelled as Starlette spells them, so that a value of one is a value of the other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypeAlias, Union

__all__ = [
    "ASGIApp",
    "Directory",
    "Duration",
    "HandlerFunction",
    "HandlerSpec",
    "Message",
    "Next",
    "PathSpec",
    "Receive",
    "Scope",
    "Send",
    "Size",
]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

PathSpec: TypeAlias = Union[str, "re.Pattern[str]", Sequence["PathSpec"]]
"""A path: a pattern string, a compiled regular expression, or a list of those (nested at will)."""

HandlerFunction: TypeAlias = Callable[..., Any]
"""A function of ``()``, ``(req)``, ``(req, res)``, ``(req, res, next)`` or ``(err, req, res, next)``."""

HandlerSpec: TypeAlias = HandlerFunction | Sequence["HandlerSpec"]
"""What a registration method takes: a handler, an ASGI app, or a list of those (nested at will)."""

Duration: TypeAlias = float | int | str | timedelta
"""Seconds, a ``timedelta``, or text such as ``"15m"``."""

Size: TypeAlias = int | str
"""Bytes, or text such as ``"100kb"``."""

Directory: TypeAlias = Union[str, "os.PathLike[str]"]
"""The path of a directory."""


class Next(Protocol):
    """What a handler receives as ``next``: call it to go on; await the call to run the rest inside."""

    def __call__(self, signal: Any = None, /) -> Awaitable[None]:
        """Go on.

        Args:
            signal: nothing to go on, ``"route"`` to leave the route, ``"router"`` to leave
                the router, anything else that is true to fail with it.
        """
        ...

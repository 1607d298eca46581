"""Call what users wrote, plain or ``async``."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from asgi_express.actions._request import ActionRequest

__all__ = ["PASS_ON", "Action", "PassOnType", "call", "run_filter"]

Action: TypeAlias = Callable[[Any], Any]
"""A function of the request object, plain or ``async``."""


class PassOnType:
    """The type of ``PASS_ON``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PASS_ON"


PASS_ON = PassOnType()
"""What an action returns to leave the request to whatever comes after the app, as ``next()`` does in Express."""


async def call(fn: Callable[..., Any], *args: Any) -> Any:
    """Call a function; wait for what it returns if that has to be waited for."""
    result = fn(*args)
    return await result if isawaitable(result) else result


async def run_filter(fn: Action, request: ActionRequest) -> bool:
    """Run a filter; tell whether it has written, or used ``self.res``, and so answered in place of the action."""
    request._wrote = False
    await call(fn, request)
    return request._wrote or request.res.finished or request.res.headers_sent

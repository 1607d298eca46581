"""An actor acts in an app, and not in the server around it."""

from __future__ import annotations

from functools import partial
from typing import Any

from asgi_express.security import Actor
from asgi_express.security import Scope as Policies
from asgi_express.security.context import CURRENT
from asgi_express.types import ASGIApp, Receive, Scope, Send

__all__ = ["run_as"]


async def run_as(
    actor: Actor | None, policies: Policies | None, app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    """Run an app in which an actor acts, or nobody.

    A server inherits the context of whoever calls it: uvicorn begins the next request of a connection in ``send``, and
    goes on reading in ``receive``. A proxy sends the requests of many clients over one connection, so no actor is to be
    there.
    """
    before = CURRENT.get()
    if scope["type"] == "http" and (actor is not None or policies is not None):
        receive, send = partial(_in_context, before, receive), partial(_in_context, before, send)
    token = CURRENT.set((actor, policies))
    try:
        await app(scope, receive, send)
    finally:
        CURRENT.reset(token)


async def _in_context(acting: tuple[Actor | None, Policies | None], function: Any, *message: Any) -> Any:
    token = CURRENT.set(acting)
    try:
        return await function(*message)
    finally:
        CURRENT.reset(token)

"""A decision that has to wait for the match of a router of this package, and what must not go out without it.

What a router runs cannot be known before it has run its middleware, which may rewrite the path; so the firewall goes
into the router, behind the match. An answer that no decided route gave is stopped on its way out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from asgi_express._scope import GUARDS, MATCH, next_app
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Deferred"]

Decide: TypeAlias = Callable[[Scope], bool]
Refuse: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class Deferred:
    """One request whose route is not known yet.

    Args:
        decide: tells whether the matched route may run, and records it.
        refuse: the app that answers where it may not.
        stray: the same for an answer that no route gave.
    """

    __slots__ = ("_checked", "_decide", "_failed", "_matches", "_refuse", "_refusing", "_stopped", "_stray")

    def __init__(self, decide: Decide, refuse: Refuse, stray: Decide) -> None:
        self._decide = decide
        self._refuse = refuse
        self._stray = stray
        self._matches: list[tuple[Scope, object]] = []
        self._checked = False
        self._failed: BaseException | None = None
        self._refusing = False
        self._stopped = False

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, with the decision waiting behind the match."""
        scope[GUARDS] = (*scope.get(GUARDS, ()), self._guard)

        async def gate(message: Message) -> None:
            if not self._checked and message["type"] in _ANSWERS:
                self._checked = True
                if not self._refusing and self._strays(scope, message) and not self._stray(scope):
                    await self._stop(scope, receive, send)
            if not self._stopped:
                await send(message)
            elif message.get("more_body", False) or message["type"] == "websocket.send":
                raise _Stopped  # a stream without an end would never find out that nobody listens

        try:
            await app(scope, receive, gate)
        except _Stopped:
            pass  # the refusal has been sent
        finally:
            scope.pop(GUARDS, None)
        if self._failed is not None:
            raise self._failed

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide, behind the match."""
        if self._decide(scope):
            self._matches.append((scope, scope.get(MATCH)))
            await next_app(scope, receive, send)
            return
        self._refusing = True  # whatever refuses may say so with any status
        try:
            await self._refuse(scope, receive, send)
        finally:
            self._refusing = False

    async def _stop(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse in the place of an answer, and let nothing more of that out."""
        self._stopped = True
        try:
            await self._refuse(scope, receive, send)
        except BaseException as error:
            self._failed = error  # what has begun to answer cannot answer this
            raise

    def _strays(self, scope: Scope, message: Message) -> bool:
        """Tell whether an answer is one of success, by something else than a route that was decided on.

        Whatever else is answered (an error, a redirect, what may be asked) is not what a firewall guards.
        """
        status = message.get("status", 200)
        if status >= _REDIRECTS or (scope.get("method", "").upper() == "OPTIONS" and _tells_methods(status, message)):
            return False
        return not any(record is not None and seen.get(MATCH) is record for seen, record in self._matches)


def _tells_methods(status: int, message: Message) -> bool:
    """Tell whether an answer to OPTIONS is one about methods; anything else may be asked for with OPTIONS, too."""
    return status == _NO_CONTENT or any(name.lower() in _METHODS for name, _ in message.get("headers", ()))


class _Stopped(OSError):
    """What servers raise where the client has gone (ASGI specification, HTTP 2.4)."""


_NO_CONTENT = 204
_REDIRECTS = 300

_METHODS = frozenset({b"allow", b"access-control-allow-methods"})

_ANSWERS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})

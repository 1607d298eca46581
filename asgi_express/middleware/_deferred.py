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

    __slots__ = ("_checked", "_decide", "_matches", "_refuse", "_stopped", "_stray")

    def __init__(self, decide: Decide, refuse: Refuse, stray: Decide) -> None:
        self._decide = decide
        self._refuse = refuse
        self._stray = stray
        self._matches: list[tuple[Scope, object]] = []
        self._checked = False
        self._stopped = False

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, with the decision waiting behind the match."""
        scope[GUARDS] = (*scope.get(GUARDS, ()), self._guard)

        async def gate(message: Message) -> None:
            if not self._checked and message["type"] in _ANSWERS:
                self._checked = True
                if self._strays(scope, message) and not self._stray(scope):
                    self._stopped = True
                    await self._refuse(scope, receive, send)
            if not self._stopped:
                await send(message)

        try:
            await app(scope, receive, gate)
        finally:
            scope.pop(GUARDS, None)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide, behind the match."""
        if self._decide(scope):
            self._matches.append((scope, scope.get(MATCH)))
            await next_app(scope, receive, send)
        else:
            self._checked = True  # whatever refuses may say so with any status
            await self._refuse(scope, receive, send)

    def _strays(self, scope: Scope, message: Message) -> bool:
        """Tell whether an answer is one of success, by something else than a route that was decided on.

        Whatever else is answered (an error, a redirect, a preflight) is not what a firewall guards.
        """
        if message.get("status", 200) >= _REDIRECTS or scope.get("method", "").upper() == "OPTIONS":
            return False
        return not any(record is not None and seen.get(MATCH) is record for seen, record in self._matches)


_REDIRECTS = 300

_ANSWERS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})

"""The baseline actor of a service: who acts where no token says who does."""

from __future__ import annotations

from asgi_express._scope import next_app
from asgi_express.middleware._acting import run_as
from asgi_express.middleware._firewall import ACTOR, CHALLENGE, SECURITY_SCOPE
from asgi_express.security import Actor, Challenge
from asgi_express.security import Scope as Policies
from asgi_express.types import ASGIApp, Receive, Scope, Send

__all__ = ["Baseline"]


class Baseline:
    """Let an actor act in requests that have none.

    It stands after the middleware of a router, so that a token decides first. A request whose token is wrong stays
    without an actor: who shows a wrong token is not to get what nobody in particular would.
    """

    enriches = True  # it only reads the request and writes the scope: `explain` may run it

    def __init__(self, actor: Actor, policies: Policies, app: ASGIApp = next_app) -> None:
        self.app = app
        self._actor = actor
        self._policies = policies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, with the actor if it needs one."""
        challenge = scope.get(CHALLENGE)
        is_wrong = isinstance(challenge, Challenge) and challenge.error is not None
        if scope["type"] not in ("http", "websocket") or isinstance(scope.get(ACTOR), Actor) or is_wrong:
            await self.app(scope, receive, send)
            return
        scope[ACTOR], scope[SECURITY_SCOPE] = self._actor, self._policies
        await run_as(self._actor, self._policies, self.app, scope, receive, send)

"""Who may use which endpoint."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Literal
from weakref import WeakSet

from asgi_express._scope import next_app
from asgi_express.middleware._firewall import Audit, Firewall, Verdict
from asgi_express.middleware._matched import matched, method_of
from asgi_express.security import Policy
from asgi_express.types import ASGIApp, Scope

__all__ = ["EndpointFirewall", "Verdict"]

_log = logging.getLogger("asgi_express.firewall")

_ADVICE = (
    "EndpointFirewall: no route is known where it stands, and so it refuses everything. "
    "In a router: router.post_match(EndpointFirewall(...)). In Starlette: Route(..., middleware=[...])"
)

_advised: WeakSet[Firewall] = WeakSet()


class EndpointFirewall(Firewall):
    """Let an actor use an endpoint only if a policy allows it: ``router.post_match(EndpointFirewall())``.

    It stands after the match and decides on the route that was matched, never on the path that a client sent. Reads
    ``scope["asgi_express.actor"]`` and ``scope["asgi_express.security_scope"]``, as ``TokenAuth`` or any code of yours
    wrote them, and the match. Writes ``scope["asgi_express.verdict"]``.

    - The resource is the name of the route, or its path as it was written with the prefixes of all mounts:
      ``"/users/:id"``. In Starlette it is always the path.
    - A route with ``meta={"public": True}`` is for everybody, and so is an endpoint of Starlette under
      ``asgi_express.security.public``. Nothing else is: without an actor the answer is 401.
    - Any policy that denies wins; one that allows is needed, unless ``default_policy`` says otherwise. A refusal is
      403. A token that was wrong is 400, 401, or 503 where it could not be checked (see ``TokenAuth``).
    - Conditions can use ``meta.method`` (``GET`` also for a ``HEAD`` that the handlers of ``GET`` answer;
      ``WEBSOCKET``), ``meta.params.…``, ``meta.template``, ``meta.name`` and ``meta.route.…``, the metadata of the
      route.
    - A WebSocket is refused before it is accepted, with the same answer where the server can send one.
    - Where no route is known, before the match and around a whole app, everything is refused, and the log says once
      where the firewall should stand. An app that is mounted has no route of its own here either.
    - Every decision is told to ``audit`` before the app runs; where that raises, the request fails.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        action: what is done with the endpoint, for policies.
        default_policy: ``"deny"`` or ``"allow"`` where no policy applies to an actor.
        policies: what applies to every actor, besides the policies of its token.
        enforce: ``False`` decides and tells, and lets everything pass: to try policies out.
        audit: called with a :class:`Verdict` for each decision; by default it is a line of JSON in the log
            ``asgi_express.firewall``, ``INFO`` or, refused, ``WARNING``.
        on_refused: an ASGI app that answers instead.

    Raises:
        ValueError: an option cannot be.

    Examples::

        from asgi_express.security import Condition, Policy

        app.post_match(EndpointFirewall())

        app.post_match(
            EndpointFirewall(
                policies=[Policy("staff", "access", "/admin*", conditions=[Condition("actor.meta.staff", "eq", True)])],
                enforce=False,
                audit=print,
            )
        )
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        action: str = "access",
        default_policy: Literal["deny", "allow"] = "deny",
        policies: Iterable[Policy] = (),
        enforce: bool = True,
        audit: Audit | None = None,
        on_refused: ASGIApp | None = None,
    ) -> None:
        super().__init__(
            app,
            action=action,
            default_policy=default_policy,
            policies=policies,
            enforce=enforce,
            audit=audit,
            on_refused=on_refused,
        )

    def explain(self, scope: Scope) -> Verdict:
        """Return what is decided about a request, and why; nothing is recorded or refused.

        Args:
            scope: of the request, after the match.

        Example::

            firewall = EndpointFirewall()
            firewall.explain(scope).reason  # -> "no actor"
        """
        match = matched(scope)
        if match is None:
            if self not in _advised:
                _advised.add(self)
                _log.error(_ADVICE)
            return self._verdict(scope, None, method_of(scope), allowed=False, reason="no match")
        if match.public:
            return self._verdict(scope, match.resource, match.method, allowed=True, reason="public")
        return self._decide(scope, match.resource, match.method, match.meta)

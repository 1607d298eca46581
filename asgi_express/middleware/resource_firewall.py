"""Who may use one named resource."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from asgi_express._scope import next_app
from asgi_express.middleware._firewall import Audit, Firewall, Verdict
from asgi_express.middleware._matched import Matched, Unmatched, find, matched, method_of
from asgi_express.security import Policy
from asgi_express.types import ASGIApp, Scope

__all__ = ["ResourceFirewall"]


class ResourceFirewall(Firewall):
    """Let an actor pass only if a policy allows an action on a resource that you name.

    It guards a thing rather than a route: several routes, a mounted app or a whole host may stand for one resource.
    Reads ``scope["asgi_express.actor"]`` and ``scope["asgi_express.security_scope"]``. Writes
    ``scope["asgi_express.verdict"]``.

    - The resource does not depend on the path, so it may stand anywhere: on a route, in ``post_match``, around an app.
    - No route is public here: a mark on the route says nothing about the resource.
    - Without an actor the answer is 401; 403 where a policy denies, or none allows. A token that was wrong is 400,
      401, or 503 where it could not be checked (see ``TokenAuth``).
    - Conditions can use ``meta.method``, and where the route is known also ``meta.params.…``, ``meta.template``,
      ``meta.name`` and ``meta.route.…``: after the match, and around Starlette and FastAPI. Elsewhere a ``HEAD`` counts
      as ``GET``, and a handshake as ``WEBSOCKET``, even if a ``WebSocketRelay`` further in makes a ``GET`` of it.
    - A WebSocket is refused before it is accepted, with the same answer where the server can send one.
    - Every decision is told to ``audit`` before the app runs; where that raises, the request fails.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        target: the name of the resource, for policies.
        action: what is done with it, for policies.
        default_policy: ``"deny"`` or ``"allow"`` where no policy applies to an actor.
        policies: what applies to every actor, besides the policies of its token.
        enforce: ``False`` decides and tells, and lets everything pass: to try policies out.
        strict_paths: answer 400 to a path that can be read in more than one way; see :class:`EndpointFirewall`.
        audit: called with a :class:`Verdict` for each decision; by default it is a line of JSON in the log
            ``asgi_express.firewall``, ``INFO`` or, refused, ``WARNING``.
        on_refused: an ASGI app that answers instead.

    Raises:
        ValueError: an option cannot be.

    Examples::

        from asgi_express.security import Policy

        app.use(ResourceFirewall(target="reports"))

        app.use(
            ResourceFirewall(
                target="reports",
                action="read",
                policies=[Policy("everybody", actions="read", resources="reports")],
            )
        )
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        target: str,
        action: str = "access",
        default_policy: Literal["deny", "allow"] = "deny",
        policies: Iterable[Policy] = (),
        enforce: bool = True,
        strict_paths: bool = False,
        audit: Audit | None = None,
        on_refused: ASGIApp | None = None,
    ) -> None:
        super().__init__(
            app,
            action=action,
            default_policy=default_policy,
            policies=policies,
            enforce=enforce,
            strict_paths=strict_paths,
            audit=audit,
            on_refused=on_refused,
        )
        if not isinstance(target, str) or not target:
            msg = f"ResourceFirewall: target must be text that is not empty, not {target!r}"
            raise ValueError(msg)
        self._target = target

    def _find(self, scope: Scope) -> Matched | Unmatched:
        is_plain = scope["type"] == "http" and scope["method"].upper() != "HEAD"
        if is_plain and self._is_settled(scope, self._target):
            # Where the route matters to no condition it is not looked for: 2 us.
            return Matched(self._target, method_of(scope), public=False)
        found = find(scope, self.app, self)
        # Where the next route is not known yet, the one around this, if there is one, still tells its parameters.
        return found if isinstance(found, Matched) else matched(scope) or Unmatched("unknown")

    def _verdict_on_found(self, scope: Scope, found: Matched | Unmatched) -> Verdict:
        if isinstance(found, Matched):
            return self._decide(scope, self._target, found)
        method = method_of(scope)
        if method == "HEAD":  # what denies GET must not be passed by asking for the headers
            method = "GET"
        return self._decide(scope, self._target, Matched(self._target, method, public=False))

"""Who may use which endpoint."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Literal
from weakref import WeakKeyDictionary

from asgi_express._scope import ROUTER, next_app
from asgi_express.middleware._coverage import Uncovered, uncovered
from asgi_express.middleware._firewall import Audit, Firewall, Verdict
from asgi_express.middleware._matched import Matched, Unmatched, find, method_of
from asgi_express.security import Policy
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["EndpointFirewall", "Uncovered", "Verdict"]

_log = logging.getLogger("asgi_express.firewall")

_ADVICE = (
    "In a router: router.post_match(EndpointFirewall(...)). "
    "In Starlette and FastAPI: add_middleware(EndpointFirewall, ...) before any other, so that it is the innermost"
)

_WHY = {
    "router": "a router is mounted there, and the decision is made after its match",
    "nothing": "no route is for it: the host answers 404, 405 or a redirect",
}

_advised: WeakKeyDictionary[Firewall, set[str]] = WeakKeyDictionary()


class EndpointFirewall(Firewall):
    """Let an actor use an endpoint only if a policy allows it: ``router.post_match(EndpointFirewall())``.

    It decides on the route that then runs, never on the path that a client sent. In a router it stands after the match;
    around Starlette and FastAPI, and on their mounts and routes, it asks their routes for the match itself, through
    mounts, hosts and included routers. Reads ``scope["asgi_express.actor"]`` and
    ``scope["asgi_express.security_scope"]``, as ``TokenAuth`` or any code of yours wrote them, and the match. Writes
    ``scope["asgi_express.verdict"]``.

    - The resource is the name of the route, or its path as it was written with the prefixes of all mounts:
      ``"/users/:id"``. In Starlette and FastAPI it is always the path, ``"/users/{id}"``, after the pattern of the host
      name if there is one.
    - A route with ``meta={"public": True}`` is for everybody, and so is an endpoint or app of Starlette or FastAPI
      under ``asgi_express.security.public``. Nothing else is: without an actor the answer is 401.
    - Any policy that denies wins; one that allows is needed, unless ``default_policy`` says otherwise. A refusal is
      403. A token that was wrong is 400, 401, or 503 where it could not be checked (see ``TokenAuth``).
    - Conditions can use ``meta.method`` (``GET`` also for a ``HEAD``, and for a handshake of ``WebSocketRelay``, that
      the handlers of ``GET`` answer; ``WEBSOCKET``), ``meta.params.…``, ``meta.template``, ``meta.name`` and
      ``meta.route.…``, the metadata of the route.
    - A WebSocket is refused before it is accepted, with the same answer where the server can send one.
    - Where no route is for a request there is nothing to decide: 404, 405 and redirects of the host pass.
    - What nobody can know is refused, and the log says once why: an app of another kind that is mounted, a route class
      that somebody has written, a middleware between the firewall and the routes that may change the path. So add the
      firewall first: the innermost is added first.
    - A router of this package that is mounted in the host decides behind its own match. Success that it answers without
      a route, by ``use`` or ``static``, does not go out.
    - Every decision is told to ``audit`` before the app runs; where that raises, the request fails.
    - At start-up the log says which routes no policy is about; :meth:`uncovered` lists them.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        action: what is done with the endpoint, for policies.
        default_policy: ``"deny"`` or ``"allow"`` where no policy applies to an actor.
        policies: what applies to every actor, besides the policies of its token.
        enforce: ``False`` decides and tells, and lets everything pass: to try policies out.
        strict_paths: answer 400, before any decision, to a path that can be read in more than one way: encoded slashes,
            dots and plain letters, ``//``, ``/./``, ``;``, backslashes, escapes in lower case, double encoding, what is
            not UTF-8. The decision does not need it; what stands behind the route may.
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

    def uncovered(self, app: Any = None, *, policies: Iterable[Policy] = ()) -> list[Uncovered]:
        """List the routes that are not public and that no policy is about, whatever its conditions and its effect.

        At start-up the list is logged.

        Args:
            app: the router or host to look into; by default the app that is wrapped.
            policies: further ones, those that tokens have for example.

        Example::

            app = Express().get("/users", lambda req: [])
            EndpointFirewall().uncovered(app)[0].template  # -> "/users"
        """
        return uncovered(self.app if app is None else app, self._action, (*self._policies, *policies))

    def _find(self, scope: Scope) -> Matched | Unmatched:
        return find(scope, self.app, self)

    def _verdict_on_found(self, scope: Scope, found: Matched | Unmatched) -> Verdict:
        if isinstance(found, Matched):
            if found.public:
                return self._verdict(scope, found.resource, found.method, allowed=True, reason="public")
            return self._decide(scope, found.resource, found)
        if found.kind == "unknown":
            self._advise(found.why)
        why = _WHY.get(found.kind, found.why)
        nothing = found.kind == "nothing"
        return self._verdict(scope, None, method_of(scope), allowed=nothing, reason="no match", detail=why)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def report(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._report(scope.get(ROUTER))
            await send(message)

        await self.app(scope, receive, report if scope["type"] == "lifespan" else send)

    def _report(self, router: object) -> None:
        """Log which routes no policy is about, once the host has all of them."""
        open_routes = self.uncovered(router) if router is not None or self.app is not next_app else []
        if open_routes:
            routes = ", ".join(f"{'|'.join(route.methods)} {route.template}" for route in open_routes)
            level = logging.WARNING if len(self._policies) or self._default == "allow" else logging.INFO
            _log.log(level, "EndpointFirewall: no policy of its own is about %d routes: %s", len(open_routes), routes)

    def _advise(self, why: str) -> None:
        said = _advised.setdefault(self, set())
        if why not in said:
            said.add(why)
            _log.error("EndpointFirewall: no route is known, and so it refuses: %s. %s", why, _ADVICE)

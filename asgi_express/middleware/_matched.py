"""Which route a request was matched to, or is going to be: by a router of this package, Starlette's or FastAPI's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from asgi_express._host import Destination, destination, from_the_top
from asgi_express._scope import MATCH, WALK, next_app
from asgi_express.security import is_public
from asgi_express.types import ASGIApp, Scope

if TYPE_CHECKING:
    from asgi_express.route import RouteMatch

__all__ = ["Matched", "Unmatched", "find", "matched", "method_of"]


class Matched(NamedTuple):
    """A matched route.

    Attributes:
        resource: its name, or its path as it was written: never what a client sent.
        method: the method whose handlers run: ``GET`` for a ``HEAD`` or a ``WEBSOCKET`` without handlers of its own.
        public: whether it is marked as public.
        template: its path as it was written; ``None`` where no route is known.
        name: its name.
        params: what was found in the path.
        route: its metadata.
    """

    resource: str
    method: str
    public: bool
    template: str | None = None
    name: str | None = None
    params: Mapping[str, Any] | None = None
    route: Mapping[str, Any] = {}

    @property
    def meta(self) -> Mapping[str, Any]:
        """Facts for the conditions of policies."""
        if self.template is None:
            return {"method": self.method}
        return {
            "method": self.method,
            "template": self.template,
            "name": self.name,
            "params": self.params or {},
            "route": self.route,
        }


class Unmatched(NamedTuple):
    """That there is no route, or none yet.

    Attributes:
        kind: ``"router"``: one of this package will find it; ``"nothing"``: there is none, and the host says so;
            ``"unknown"``: nobody can know.
        why: for ``"unknown"``, what it is that nobody can know.
    """

    kind: Literal["router", "nothing", "unknown"]
    why: str = ""


_BEFORE = Unmatched("unknown", "it stands before the match; in a router, give it to post_match(...)")


def matched(scope: Scope) -> Matched | None:
    """Return the route that a router of this package has matched, as far as the scope tells."""
    record: RouteMatch | None = scope.get(MATCH)
    return _ours(scope, record) if record is not None and record.route is scope.get("route") else None


def find(scope: Scope, app: ASGIApp, here: object) -> Matched | Unmatched:
    """Find the route that runs next.

    Args:
        scope: of the request.
        app: the app that goes on.
        here: the middleware in front of it.
    """
    if app is next_app:
        return _in_the_walk(scope)
    top = from_the_top(scope)
    if top is not None and top.kind == "unknown" and not top.passes(here):
        return Unmatched("unknown", top.why)  # it stands below what is not known, and so has no whole path
    place = destination(app, scope) if top is None or not top.passes(here) else top
    if place.kind == "route":
        return _theirs(scope, place)
    if place.kind == "next":
        return _in_the_walk(scope)
    if place.kind != "unknown":
        return Unmatched(place.kind)
    # What is on a route or a mount itself guards that, whatever is behind it; and so is what somebody has marked.
    if place.route is not None and (place.is_direct(here) or any(is_public(each) for each in place.direct)):
        return _theirs(scope, place)
    # A handler on a route of ours, with no host in between.
    found = matched(scope) if not place.routed and (top is None or top.kind == "router") else None
    return found or Unmatched("unknown", place.why)


def method_of(scope: Scope) -> str:
    """Return the method of a request, ``"WEBSOCKET"`` for a WebSocket."""
    return "WEBSOCKET" if scope["type"] == "websocket" else cast("str", scope["method"]).upper()


def _in_the_walk(scope: Scope) -> Matched | Unmatched:
    # In a router that is a handler of a route, the record is that of this route until one of its own is matched.
    walk = scope.get(WALK)
    found = matched(scope) if walk is None or walk.is_in_route else None
    if found is None:
        place = from_the_top(scope)
        if place is None or place.kind != "route":
            return _BEFORE
        found = _theirs(scope, place)
    return found


def _ours(scope: Scope, record: RouteMatch) -> Matched:
    method = method_of(scope)
    # A handshake, too, comes to a route without handlers of its own only where it is made a request of GET.
    if method in ("HEAD", "WEBSOCKET") and method not in record.methods:
        method = "GET"
    route, template = record.route, record.template
    name, meta = route.name, route.meta
    # All by position: it is made for every request.
    return Matched(name or template, method, meta.get("public") is True, template, name, scope.get("path_params"), meta)


def _theirs(scope: Scope, place: Destination) -> Matched:
    route, template = place.route, place.template
    method, methods = method_of(scope), getattr(route, "methods", None)
    if method == "HEAD" and (methods is None or "GET" in methods):
        method = "GET"
    marked = (place.endpoint,) if place.endpoint is not None else place.direct
    is_marked = any(is_public(each) for each in marked)
    return Matched(template, method, is_marked, template, getattr(route, "name", None), place.params)

"""What those who watch a request want to know of it: its route as it was written, its trace, its error."""

from __future__ import annotations

from typing import NamedTuple

from asgi_express._host import Destination, destination, from_the_top
from asgi_express._scope import MATCH, OBSERVED, Mounted, Observed
from asgi_express.types import Scope

__all__ = ["KNOWN_METHODS", "TRACE", "Trace", "error_of", "note", "route_of", "watch"]

KNOWN_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
"""RFC 9110 section 9, RFC 5789 (PATCH) and QUERY; whatever else a client invents is one other method."""

TRACE = "asgi_express.trace"
"""The scope key of the :class:`Trace` that ``OTel`` has begun or goes on with."""


class Trace(NamedTuple):
    """Where the spans of a request are found.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 of them, of the server's span.
        sampled: whether they are recorded.
    """

    trace_id: str
    span_id: str
    sampled: bool


def watch(scope: Scope) -> None:
    """Ask the routers of this package to tell what they do with a request; several may ask."""
    if OBSERVED not in scope:
        scope[OBSERVED] = Observed()


def note(scope: Scope, error: BaseException) -> None:
    """Tell those who watch a request of an error that is answered here."""
    if OBSERVED in scope:
        scope[OBSERVED].error = error


def error_of(scope: Scope) -> BaseException | None:
    """Return the error that a router of this package, or a middleware, has answered."""
    observed: Observed | None = scope.get(OBSERVED)
    while observed is not None:
        if observed.error is not None:
            return observed.error
        observed = observed.mount.scope.get(OBSERVED) if observed.mount is not None else None
    return None


def route_of(scope: Scope) -> str | None:
    """Return the path of the route that a request was matched to, as it was written, those of all mounts before it.

    Nothing in it was sent by a client, and there are no more of them than the program has routes. Below an app of which
    nothing is known it is the path of its mount and ``/*``.

    Returns:
        ``None`` where there is no route, or none yet.
    """
    return _chosen(scope) or _route_of(scope, from_the_top(scope))


def _chosen(scope: Scope) -> str | None:
    """Return the path of a route that the outermost router of a host has itself: the most frequent case, unsearched."""
    router, route = scope.get("router"), scope.get("route")
    if router is None or route is None or MATCH in scope or "app_root_path" in scope:
        return None
    methods = getattr(route, "methods", None)
    if methods is not None and scope.get("method") not in methods:
        return None  # it answers 405
    path = getattr(route, "path", None)
    return path if isinstance(path, str) and any(each is route for each in router.routes) else None


def _route_of(scope: Scope, place: Destination | None) -> str | None:
    """Return the same, for what the host around is known to run."""
    record = scope.get(MATCH)
    if record is not None and record.route is scope.get("route"):
        local: str = record.local
        return _prefix(place) + local
    observed: Observed | None = scope.get(OBSERVED)
    if observed is not None and observed.mount is not None:
        return _prefix(place) + _below(observed.mount, scope.get("router"))
    if place is None:
        template = scope.get("path_template")  # Litestar's; empty for its mounts
        return template if isinstance(template, str) and template else None
    if place.kind == "route":
        return place.template
    return _prefix(place) + "/*" if place.kind == "unknown" and place.route is not None else None


def _below(mount: Mounted, router: object) -> str:
    """Return the path from a mount in a router of this package on."""
    scope = mount.scope
    place = None
    if "router" in scope:
        # A host that stands around leaves its own router there: what is inside then says nothing of itself.
        inner = scope["router"] is not router
        place = from_the_top(scope) if inner else destination(mount.app, {**scope, "root_path": mount.root_path})
    return mount.path.rstrip("/") + (_route_of(scope, place) or "/*")


def _prefix(place: Destination | None) -> str:
    """Return the path of the mount of a host, without a slash at its end."""
    return place.template.rstrip("/") if place is not None and place.route is not None else ""

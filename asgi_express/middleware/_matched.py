"""Which route a request was matched to: by a router of this package, or by Starlette's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from asgi_express._scope import MATCH
from asgi_express.security import is_public
from asgi_express.types import Scope

if TYPE_CHECKING:
    from asgi_express.route import RouteMatch

__all__ = ["Matched", "matched", "method_of"]


class Matched(NamedTuple):
    """A matched route.

    Attributes:
        resource: its name, or its path as it was written: never what a client sent.
        method: the method whose handlers run: ``GET`` for a ``HEAD`` without handlers of its own.
        public: whether it is marked as public.
        meta: facts for the conditions of policies.
    """

    resource: str
    method: str
    public: bool
    meta: Mapping[str, Any]


def matched(scope: Scope) -> Matched | None:
    """Return the route that runs next, as far as the scope tells; ``None`` where it does not."""
    route = scope.get("route")
    record: RouteMatch | None = scope.get(MATCH)
    if record is not None and record.route is route:
        return _ours(scope, record)
    # A route of another framework, matched after ours if there is one.
    return None if route is None else _foreign(scope, route)


def method_of(scope: Scope) -> str:
    """Return the method of a request, ``"WEBSOCKET"`` for a WebSocket."""
    return "WEBSOCKET" if scope["type"] == "websocket" else cast("str", scope["method"]).upper()


def _ours(scope: Scope, record: RouteMatch) -> Matched:
    method = method_of(scope)
    if method == "HEAD" and "HEAD" not in record.methods:
        method = "GET"
    template = record.template
    meta = _facts(scope, method, template, record.name, record.meta)
    return Matched(record.name or template, method, record.meta.get("public") is True, meta)


def _foreign(scope: Scope, route: Any) -> Matched | None:
    # The path of a Starlette route begins at its mount: two mounts may each have a "/users".
    templates = {*_templates(getattr(scope.get("router"), "routes", None) or (), route)}
    if len(templates) != 1:
        return None
    template = templates.pop()
    method, methods = method_of(scope), getattr(route, "methods", None)
    if method == "HEAD" and (methods is None or "GET" in methods):
        method = "GET"
    endpoint = getattr(route, "endpoint", None) or getattr(route, "app", None)
    meta = _facts(scope, method, template, getattr(route, "name", None), {})
    return Matched(template, method, is_public(endpoint), meta)


def _templates(routes: Iterable[Any], wanted: Any, prefix: str = "") -> Iterator[str]:
    for route in routes:
        template = prefix + getattr(route, "path", "")
        if route is wanted:
            yield template or "/"
        yield from _templates(getattr(route, "routes", None) or (), wanted, template)


def _facts(scope: Scope, method: str, template: str, name: str | None, route: Mapping[str, Any]) -> dict[str, Any]:
    params = scope.get("path_params") or {}
    return {"method": method, "template": template, "name": name, "params": params, "route": route}

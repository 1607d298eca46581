"""What an app of Starlette or FastAPI is going to run for a request, and what it could run at all.

It is found with the ``matches`` of the routes themselves, on a copy of the scope, in the order in which their routers
ask them. Only what is known here by name is believed: a router, route or middleware that somebody has changed may do
something else, and the answer is then that nobody can know. Nothing is imported: where no Starlette is around, there is
nothing to find.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from asgi_express._handlers import name_of
from asgi_express._scope import encode_path
from asgi_express.types import Scope

__all__ = ["Destination", "Listed", "destination", "from_the_top", "listed", "mount_of"]

Kind: TypeAlias = Literal["route", "router", "next", "nothing", "unknown"]

_FORWARDS = frozenset(
    {
        "asgi_express.middleware._firewall.Firewall",
        "asgi_express.middleware.compress.Compress",
        "asgi_express.middleware.cors.CORS",
        "asgi_express.middleware.csrf.CSRF",
        "asgi_express.middleware.error_handler.ErrorHandler",
        "asgi_express.middleware.metrics.Metrics",
        "asgi_express.middleware.otel.OTel",
        "asgi_express.middleware.ratelimit.RateLimit",
        "asgi_express.middleware.sendfile.Sendfile",
        "asgi_express.middleware.session.Session",
        "asgi_express.middleware.sse_relay.SSERelay",
        "asgi_express.middleware.token_auth.TokenAuth",
        "starlette.middleware.authentication.AuthenticationMiddleware",
        "starlette.middleware.body_limit.RequestBodyLimitMiddleware",
        "starlette.middleware.cors.CORSMiddleware",
        "starlette.middleware.errors.ServerErrorMiddleware",
        "starlette.middleware.exceptions.ExceptionMiddleware",
        "starlette.middleware.gzip.GZipMiddleware",
        "starlette.middleware.httpsredirect.HTTPSRedirectMiddleware",
        "starlette.middleware.sessions.SessionMiddleware",
        "starlette.middleware.trustedhost.TrustedHostMiddleware",
        "fastapi._body_limit.AppBodyLimitMiddleware",
        "fastapi._body_limit._BodyLimitExceptionMiddleware",
        "fastapi.middleware.asyncexitstack.AsyncExitStackMiddleware",
        "fastapi.telemetry._asgi.ExceptionTelemetryMiddleware",
    }
)
"""Middleware that passes the path, the method and the prefix on as they are. Any other may change them."""

_CALLS = {
    **{f"{name}.__call__": "forwards" for name in _FORWARDS},
    "asgi_express.router.Router.__call__": "ours",
    "asgi_express._scope.next_app": "next",
    "starlette.applications.Starlette.__call__": "host",
    "fastapi.applications.FastAPI.__call__": "host",
    "starlette.routing.Router.__call__": "stack",
    "starlette.routing.Router.app": "routes",
    "fastapi.routing.APIRouter.app": "routes",
    "starlette.staticfiles.StaticFiles.__call__": "files",
}
"""What a callable does with a request, by the function that does it."""

_FIREWALL = "asgi_express.middleware._firewall.Firewall.__call__"

_ROUTES = {
    ("starlette.routing.Route.matches", "starlette.routing.Route.handle"): "route",
    ("starlette.routing.WebSocketRoute.matches", "starlette.routing.WebSocketRoute.handle"): "route",
    ("fastapi.routing.APIRoute.matches", "starlette.routing.Route.handle"): "route",
    ("fastapi.routing.APIRoute.matches", "fastapi.routing.APIRoute.handle"): "route",
    ("fastapi.routing.APIWebSocketRoute.matches", "starlette.routing.WebSocketRoute.handle"): "route",
    ("starlette.routing.Mount.matches", "starlette.routing.Mount.handle"): "mount",
    ("starlette.routing.Host.matches", "starlette.routing.Host.handle"): "mount",
    ("fastapi.routing._IncludedRouter.matches", "fastapi.routing._IncludedRouter.handle"): "included",
    ("fastapi.routing.APIRouter.matches", "fastapi.routing.APIRouter.handle"): "its router",
}
"""What a route is, by the functions that match and handle."""


@dataclass(slots=True)
class Destination:
    """Where a request ends.

    Attributes:
        kind: ``"route"``; ``"router"``, one of this package, which goes on itself; ``"next"``, the walk that is under
            way; ``"nothing"``, where the host answers 404 or 405 or redirects to the path with or without a slash; or
            ``"unknown"``.
        template: the paths of the mounts and of the route as they were written, the pattern of a host name before them.
        route: the route, or the mount of an app without routes.
        endpoint: what the route runs, if it is no mount.
        app: the app that it ends in.
        params: the parameters of the mounts and of the route.
        why: for ``"unknown"``, what it is that nobody can know.
        routed: whether a router of a host was on the way.
        passed: the apps on the way, outermost first.
        direct: those of them since the last route or mount.
    """

    kind: Kind = "unknown"
    template: str = ""
    route: Any = None
    endpoint: Any = None
    app: Any = None
    params: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    routed: bool = False
    passed: list[Any] = field(default_factory=list)
    direct: list[Any] = field(default_factory=list)

    def passes(self, app: object) -> bool:
        """Tell whether an app is on the way."""
        return any(each is app for each in self.passed)

    def is_direct(self, app: object) -> bool:
        """Tell whether an app is on the way from the last route or mount."""
        return any(each is app for each in self.direct)

    def _is(self, kind: Kind, why: str = "") -> Destination:
        self.kind, self.why = kind, why
        return self


def destination(app: Any, scope: Scope) -> Destination:
    """Find where an app takes a request that has come to it.

    Args:
        app: any ASGI app.
        scope: of the request, as the app would get it; it is not changed.
    """
    probe = dict(scope)
    probe.pop("fastapi", None)
    return _Search(probe).run(app)


def from_the_top(scope: Scope) -> Destination | None:
    """Find the same from the outermost router of the host, for whoever stands behind a part of the way.

    Returns:
        ``None`` where no host has left its router in the scope.
    """
    top = scope.get("router")
    if top is None:
        return None
    # Mounts lengthen root_path, and leave what it was before in app_root_path.
    return destination(top, {**scope, "root_path": scope.get("app_root_path", scope.get("root_path", ""))})


def mount_of(router: object, scope: Scope) -> str | None:
    """Return the paths of the mounts that lead to a router of this package, as they were written, percent-encoded.

    Returns:
        ``None`` where that cannot be known.
    """
    found = from_the_top(scope)
    if found is None or found.kind != "router" or found.app is not router:
        return None
    root: str = scope.get("app_root_path", scope.get("root_path", "")).rstrip("/")
    whole = (root if f"{scope['path']}/".startswith(root + "/") else "") + found.template
    return encode_path(whole).replace("%7B", "{").replace("%7D", "}")


class _Search:
    """The way of one request through the apps of a host."""

    def __init__(self, probe: dict[str, Any]) -> None:
        self.probe = probe
        self.found = Destination()
        self.host = ""
        self.path = ""

    def run(self, app: Any) -> Destination:
        found = self.found
        before = self.probe.get("path_params") or {}
        while app is not None:
            found.app = app
            found.passed.append(app)
            found.direct.append(app)
            app = self._go(app)
        found.template = self.host + self.path if found.kind == "router" else self.host + (self.path or "/")
        found.params = {**before, **(self.probe.get("path_params") or {})}
        return found

    def _go(self, app: Any) -> Any:
        """Return what an app calls next; ``None`` where the way ends."""
        found, does = self.found, _does(app)
        if does == "forwards":
            return app.app
        if does == "host":
            if root_path := getattr(app, "root_path", ""):
                self.probe["root_path"] = root_path
            if app.middleware_stack is None:
                app.middleware_stack = app.build_middleware_stack()
            return app.middleware_stack
        if does == "stack":
            return app.middleware_stack
        if does == "routes":
            return self._route(app.__self__)
        if does == "ours":
            found._is("router")
        elif does == "next":
            found._is("next")
        elif does == "files" and found.route is not None:
            found._is("route")
        else:
            found._is("unknown", f"{name_of(app)} is not known, and may run anything")
        return None

    def _route(self, router: Any) -> Any:
        """Choose a route as a router does; return the app of a mount."""
        found = self.found
        found.routed = True
        partial = None
        for route in router.routes:
            match, child = route.matches(self.probe)
            if match.name == "FULL":
                break
            if match.name == "PARTIAL" and partial is None:
                partial = route
        else:
            return self._nothing(router, partial)
        self._update(child)
        path = getattr(route, "path", "")
        while _kind(route) == "included" and _kind(route.original_router) == "its router":
            _, child, route, context = route._match(self.probe)
            self._update(child)
            path = getattr(route if context is None else context.starlette_route or context, "path", "")
        kind = _kind(route)
        if kind not in ("route", "mount"):
            found._is("unknown", f"{name_of(route)} is a route of a kind that is not known, and may run anything")
            return None
        found.route = route
        found.direct.clear()
        self.path += path
        if kind == "mount":
            self.host = getattr(route, "host", "") + self.host
            return route.app
        found._is("route").endpoint = route.endpoint
        self._look_at(route.app)
        return None

    def _update(self, child: Scope) -> None:
        self.probe.update({key: value for key, value in child.items() if key != "fastapi"})

    def _look_at(self, app: Any) -> None:
        """Note the middleware of a route, for whoever wants to know whether it stands there."""
        while app is not None and not any(each is app for each in self.found.direct):
            self.found.passed.append(app)
            self.found.direct.append(app)
            app = getattr(app, "app", None) if _does(app) in (None, "forwards") else None

    def _nothing(self, router: Any, partial: Any) -> None:
        """See that nothing runs where no route serves the request."""
        found = self.found
        while partial is not None and _kind(partial) == "included":
            _, _, partial, _ = partial._match(self.probe)
        if partial is not None:
            if _kind(partial) == "route":
                found._is("nothing")
            else:
                found._is("unknown", f"{name_of(partial)} is a route of a kind that is not known, and may run anything")
            return
        late = getattr(router, "_match_low_priority", None)
        if late is not None and late(self.probe)[0].name != "NONE":
            found._is("unknown", "it is for a frontend of FastAPI, which is no route")
        elif _where(router.default) != "starlette.routing.Router.not_found":
            found._is("unknown", f"no route is for it, and {name_of(router.default)} may run anything")
        else:
            found._is("nothing")


class Listed(NamedTuple):
    """A route of a host.

    Attributes:
        template: its path as it was written, those of the mounts before it.
        methods: ``("*",)`` for any.
        endpoint: what it runs.
        router: in its stead, a router of this package that is mounted there.
        known: whether it is more than an app of which nothing is known.
    """

    template: str
    methods: tuple[str, ...]
    endpoint: Any
    router: Any = None
    known: bool = True


def listed(app: Any, prefix: str = "") -> Iterator[Listed]:
    """List the routes that an app can run, as far as they can be known.

    Args:
        app: any ASGI app.
        prefix: what to put before the paths.
    """
    does = _does(app)
    while does in ("forwards", "host", "stack"):
        app = app.app if does == "forwards" else app.router.app if does == "host" else app.app
        does = _does(app)
    if does == "routes":
        for route in app.__self__.routes:
            yield from _listed_route(route, prefix)
        for _ in getattr(app.__self__, "_iter_low_priority_routes", tuple)():
            yield Listed(prefix + "/*", ("*",), None, known=False)
    elif does == "ours":
        yield Listed(prefix, ("*",), app, router=app)
    elif getattr(app, "app", app) is not app:  # a middleware that may change the path, but not what is there
        yield from listed(app.app, prefix)
    else:
        yield Listed(prefix if does == "files" else prefix + "/*", ("*",), app, known=does == "files")


def _listed_route(route: Any, prefix: str) -> Iterator[Listed]:
    kind = _kind(route)
    if kind == "included":
        for candidate in route.effective_candidates():
            if getattr(candidate, "starlette_route", None) is not None:
                yield from _listed_route(candidate.starlette_route, prefix)
            elif hasattr(candidate, "path"):
                yield Listed(prefix + candidate.path, _methods(candidate), candidate.endpoint)
            else:
                yield from _listed_route(candidate, prefix)
    elif kind == "mount":
        yield from listed(route.app, getattr(route, "host", "") + prefix + getattr(route, "path", ""))
    else:
        endpoint = getattr(route, "endpoint", None)
        yield Listed(prefix + getattr(route, "path", "/*"), _methods(route), endpoint, known=kind == "route")


def _methods(route: Any) -> tuple[str, ...]:
    if "WebSocket" in type(route).__name__:
        return ("WEBSOCKET",)
    return tuple(sorted(getattr(route, "methods", None) or ("*",)))


def _does(app: Any) -> str | None:
    """Tell what a callable does with a request; ``None`` where that is not known."""
    does = _CALLS.get(_where(app))
    if does is not None:
        return does
    return _of_class(type(app))


def _of_class(cls: type) -> str | None:
    calls = _method(cls, "__call__")
    # A class made from a known one may call its app with something else; a firewall stays one.
    if _CALLS.get(calls) == "forwards" and f"{_where(cls)}.__call__" != calls and calls != _FIREWALL:
        return None
    return _CALLS.get(calls)


def _kind(route: Any) -> str | None:
    if not getattr(route, "__dict__", {}).keys().isdisjoint(("matches", "handle")):
        return None  # somebody has put other functions in the place of those of the class
    return _kind_of_class(type(route))


def _kind_of_class(cls: type) -> str | None:
    return _ROUTES.get((_method(cls, "matches"), _method(cls, "handle")))


def _method(cls: Any, name: str) -> str:
    return _where(getattr(cls, name, None))


def _where(fn: Any) -> str:
    """Return the module and name under which a function was defined."""
    return f"{getattr(fn, '__module__', '')}.{getattr(fn, '__qualname__', '')}"

"""Find routes by name in a tree of routers, and make their URLs.

Names are looked for in the router itself, then in those mounted in it, level by level; a mount with a name offers
what is below it as ``"mount:route"``, too. A request looks in the router that is handling it first, then in those
around it, and asks the host last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from asgi_express._compose import check_url, compose, with_query
from asgi_express._handlers import APP, ROUTER
from asgi_express._pattern import Pattern
from asgi_express._scope import encode_path
from asgi_express._urls import encode_url
from asgi_express.errors import MisuseError, UrlError

if TYPE_CHECKING:
    from asgi_express.request import Request
    from asgi_express.router import Router

__all__ = ["Names", "request_url", "router_url", "wrapped_router"]

Levels: TypeAlias = tuple[tuple[Pattern, ...], ...]


class Below(NamedTuple):
    """A mount: its name, its paths, and the router or foreign app at it."""

    name: str | None
    patterns: tuple[Pattern, ...]
    router: Router | None
    app: Any

    def words(self, wanted: str) -> tuple[str, ...]:
        """Return what a name may be called below the mount: without the name of the mount, and as it is."""
        if self.name is not None and wanted.startswith(self.name + ":"):
            return wanted[len(self.name) + 1 :], wanted
        return (wanted,)


class Names:
    """What one router has by name, itself; made anew when its stack has grown."""

    __slots__ = ("below", "routes", "size")

    def __init__(self, router: Router) -> None:
        self.size = len(router.stack)
        self.routes: dict[str, list[tuple[Pattern, ...]]] = {}
        self.below: list[Below] = []
        for layer in router.stack:
            if layer.route is not None:
                if layer.route.name is not None:
                    self.routes.setdefault(layer.route.name, []).append(layer.patterns)
                for handler in layer.route._stack:
                    if handler.kind == ROUTER:  # it sees the whole path, and stands for no prefix
                        self.below.append(Below(None, (), cast("Router", handler.fn), None))
            elif layer.router is not None:
                self.below.append(Below(layer.name, layer.patterns, layer.router, None))
            elif layer.handler is not None and layer.handler.kind == APP:
                router_inside = wrapped_router(layer.handler.fn)
                if router_inside is not None or layer.handler.opaque:
                    self.below.append(Below(layer.name, layer.patterns, router_inside, layer.handler.fn))


def wrapped_router(app: Any) -> Router | None:
    """Return the router inside of ASGI middleware, as in ``use("/api", CORS(router))``."""
    for _ in range(100):
        if getattr(app, "is_router", False) is True:
            return cast("Router", app)
        app = getattr(app, "app", None)
        if app is None:
            break
    return None


def _names(router: Router) -> Names:
    names = router._names
    if names is None or names.size != len(router.stack):
        names = router._names = Names(router)
    return names


def _ways(router: Router, name: str, params: Mapping[str, Any]) -> Iterator[Callable[[], str | None]]:
    """Give a function that makes the path for each route of a name, nearest first; foreign apps come last."""
    pending: list[tuple[Router, Levels, str, tuple[int, ...]]] = [(router, (), name, ())]
    foreign: list[tuple[Levels, Any, str]] = []
    for each, levels, wanted, outer in pending:  # it grows meanwhile
        if id(each) in outer:
            continue  # a middleware below the router wraps it
        around = (*outer, id(each))
        names = _names(each)
        for patterns in names.routes.get(wanted, ()):
            yield partial(compose, (*levels, patterns), params, name)
        for below in names.below:
            inner = (*levels, below.patterns) if below.patterns else levels
            if wanted == below.name:
                foreign.append((inner, None, ""))
            for word in below.words(wanted):
                if below.router is not None:
                    pending.append((below.router, inner, word, around))
                else:
                    foreign.append((inner, below.app, word))
    for levels, app, word in foreign:
        yield partial(_foreign_path, levels, app, word, params, name)


def _foreign_path(levels: Levels, app: Any, word: str, params: Mapping[str, Any], name: str) -> str | None:
    """Return the path of a mount itself (``path=`` is what follows), or of a route of a Starlette app in it."""
    keys = {key for patterns in levels for pattern in patterns for key in pattern.keys}
    own = {key: value for key, value in params.items() if key in keys}
    rest = {key: value for key, value in params.items() if key not in keys}
    if app is None:
        tail = rest.pop("path", "")
        if rest or not isinstance(tail, str):
            return None
        return compose(levels, own, name).rstrip("/") + "/" + encode_path(tail.lstrip("/"))
    path = _ask_host(app, word, rest)
    return None if path is None else compose(levels, own, name).rstrip("/") + path


def _ask_host(app: Any, name: str, params: Mapping[str, Any]) -> str | None:
    """Return the path that Starlette, FastAPI or the like has for a name."""
    ask = getattr(app, "url_path_for", None)
    if ask is None:
        return None
    from starlette.routing import NoMatchFound

    try:
        return encode_path(str(ask(name, **params)))
    except NoMatchFound:
        return None
    except AssertionError as error:  # how Starlette says that a parameter has a slash, or is empty
        msg = f"url_for({name!r}): {error}"
        raise UrlError(msg) from None


def _first(router: Router, name: str, params: Mapping[str, Any]) -> tuple[str | None, UrlError | None]:
    """Return the first path for a name, or what was wrong with the first route that has it."""
    problem: UrlError | None = None
    for make_path in _ways(router, name, params):
        try:
            path = make_path()
        except UrlError as error:
            problem = problem or error
            continue
        if path is not None:
            return path, None
    return None, problem


def _first_around(
    around: list[tuple[Router, str]], name: str, params: Mapping[str, Any]
) -> tuple[str | None, UrlError | None]:
    problem: UrlError | None = None
    for router, base in around:
        path, wrong = _first(router, name, params)
        if path is not None:
            return base + path, None
        problem = problem or wrong
    return None, problem


def _every(router: Router) -> list[Router]:
    """Return the router and all below it."""
    found = [router]
    for each in found:  # it grows meanwhile
        inner = [below.router for below in _names(each).below if below.router is not None]
        found += [one for one in dict.fromkeys(inner) if one not in found]
    return found


def _forget(router: Router) -> None:
    for each in _every(router):
        each._names = None


def router_url(router: Router, name: str, params: Mapping[str, Any], query: Mapping[str, Any] | str | None) -> str:
    """Return the URL of a route below a router.

    Raises:
        UrlError: there is no such route, or the parameters do not fit.
    """
    _check_name(name)
    path, problem = _first(router, name, params)
    if path is None and problem is None:
        _forget(router)  # a route may have been given a name, or another router, since
        path, problem = _first(router, name, params)
    if path is None:
        raise problem or _unknown(router, name)
    return with_query(check_url(path, name), query)


def request_url(req: Request, name: str, params: Mapping[str, Any], query: Mapping[str, Any] | str | None) -> str:
    """Return the URL of a route from where a request is, with the prefixes of mounts and hosts as they are in it.

    Raises:
        MisuseError: the request is over.
        UrlError: there is no such route, or the parameters do not fit.
    """
    _check_name(name)
    walk = req._selection
    if walk is None:
        msg = "req.url_for: the request is over; app.url_for knows the names still"
        raise MisuseError(msg)
    around: list[tuple[Router, str]] = []
    frame: Any = walk.frame
    while frame is not None:
        if hasattr(frame, "router"):  # a RouterFrame, whose module imports this one
            around.append((frame.router, encode_url(frame.base_url)))
        frame = frame.parent
    if not around:  # nobody has answered, and the walk is at its end
        around.append((walk.root_router, encode_url(walk._base)))
    found, problem = _first_around(around, name, params)
    if found is None and problem is None:
        _forget(walk.root_router)
        found, problem = _first_around(around, name, params)
    if found is not None:
        return with_query(check_url(found, name), query)
    scope = req.scope
    path = _ask_host(scope.get("router") or scope.get("app"), name, params)
    if path is not None:
        root = encode_path(scope.get("app_root_path", scope.get("root_path", "")))
        return with_query(check_url(root.rstrip("/") + path, name), query)
    raise problem or _unknown(walk.root_router, name)


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        msg = f"url_for: expected the name of a route, got {name!r}"
        raise TypeError(msg)


def _unknown(router: Router, name: str) -> UrlError:
    known = sorted({each for one in _every(router) for each in _names(one).routes})
    close = get_close_matches(name, known, 3)
    if close:
        words = f"did you mean {' or '.join(map(repr, close))}?"
    elif known:
        words = f"there are {', '.join(map(repr, known[:10]))}{', ...' if known[10:] else ''}"
    else:
        words = 'no route has a name; app.get(path, handler, name="user") gives it one'
    msg = f"url_for: there is no route named {name!r}; {words}"
    return UrlError(msg)

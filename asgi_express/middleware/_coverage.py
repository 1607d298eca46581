"""Which routes no policy is about: what a start-up report tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_express._host import Listed, listed
from asgi_express.security import Policy, is_public

if TYPE_CHECKING:
    from asgi_express._layer import Layer
    from asgi_express.router import Router

__all__ = ["Uncovered", "uncovered"]

_ANY = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Uncovered(NamedTuple):
    """A route that no policy is about.

    Attributes:
        template: its path as it was written, with those of all mounts; ``/*`` at the end for an app of which nothing
            is known.
        methods: its methods, ``("*",)`` for any.
    """

    template: str
    methods: tuple[str, ...]


class _Facts(NamedTuple):
    template: str
    methods: tuple[str, ...]
    resource: str | None
    public: bool


def uncovered(app: Any, action: str, policies: Iterable[Policy]) -> list[Uncovered]:
    """List the routes of an app that are not public and that no policy is about."""
    rules = tuple(policies)
    found: dict[Uncovered, None] = {}
    for route in _routes(app):
        known = route.resource is not None and any(rule.fits(action, route.resource) for rule in rules)
        if not known and not route.public:
            methods = ("*",) if set(route.methods) >= _ANY else route.methods
            found[Uncovered(route.template, methods)] = None
    return list(found)


def _routes(app: Any) -> Iterator[_Facts]:
    for each in listed(app):
        if each.router is not None:
            yield from _of_router(each.router, each.template)
        else:
            yield _of_host(each)


def _of_host(each: Listed) -> _Facts:
    template = each.template or "/"
    return _Facts(template, each.methods, template if each.known else None, is_public(each.endpoint))


def _of_router(router: Router, prefix: str) -> Iterator[_Facts]:
    for layer in router.stack:
        for path in _sources(layer):
            if layer.router is not None:
                yield from _of_router(layer.router, prefix + path.rstrip("/"))
            elif layer.route is not None:
                route, template = layer.route, prefix + path
                yield _Facts(template, route.methods, route.name or template, route.meta.get("public") is True)
            elif layer.handler is not None and layer.handler.opaque:
                yield _Facts(prefix + path.rstrip("/") + "/*", ("*",), None, public=False)


def _sources(layer: Layer) -> Iterator[str]:
    for pattern in layer.patterns:
        source = pattern.source
        yield source if isinstance(source, str) else source.pattern

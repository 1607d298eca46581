"""A tree of routers as it was written: for the drawings of the command line and of the explorer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asgi_express._handlers import name_of
from asgi_express._routes import RouteInfo, _of_router

if TYPE_CHECKING:
    from asgi_express.router import Router

__all__ = ["Branch", "outline"]

# A router that is mounted at many places is drawn at each of them; trees of such routers grow without end.
_MAX_NODES = 20_000


@dataclass(slots=True)
class Branch:
    """A router and what is in it, in order.

    Attributes:
        name: the class of the router.
        prefix: the path it is mounted at, as it was written, with those around it.
        items: what it has; routers are branches again.
        is_cut: whether there is more than can be drawn.
    """

    name: str
    prefix: str
    items: list[RouteInfo | Branch] = field(default_factory=list)
    is_cut: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can write it; no deeper than the interpreter can."""
        root: dict[str, Any] = {}
        pending: list[tuple[Branch, dict[str, Any]]] = [(self, root)]
        while pending:
            branch, made = pending.pop()
            made |= {"kind": "router", "name": branch.name, "path": branch.prefix or "/", "cut": branch.is_cut}
            made["items"] = []
            for item in branch.items:
                if isinstance(item, Branch):
                    below: dict[str, Any] = {}
                    made["items"].append(below)
                    pending.append((item, below))
                else:
                    made["items"].append(route_facts(item))
        return root


def route_facts(info: RouteInfo) -> dict[str, Any]:
    """Return what is known of a route or of what is on the way to it, as JSON can write it."""
    return {
        "kind": info.kind,
        "methods": list(info.methods),
        "path": info.template,
        "name": info.name,
        "handlers": list(info.handlers),
        "source": info.source,
    }


def outline(router: Router) -> Branch:
    """Return the tree of a router."""
    root = Branch(name_of(type(router)), "")
    pending: list[tuple[Branch, Iterator[RouteInfo | tuple[Router, str]]]] = [(root, _of_router(router, ""))]
    count = 0
    while pending:
        branch, items = pending[-1]
        for item in items:
            count += 1
            if count > _MAX_NODES:
                branch.is_cut = True
                return root
            if isinstance(item, RouteInfo):
                branch.items.append(item)
            else:
                below = Branch(name_of(type(item[0])), item[1])
                branch.items.append(below)
                pending.append((below, _of_router(*item)))
                break
        else:
            pending.pop()
    return root

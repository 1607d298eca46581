"""Where a walk stands, in the words of those who wrote the routes: for ``explain`` and for the explorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from asgi_express._frames import Frame, RouteFrame, RouterFrame
from asgi_express._handlers import APP, ERROR, PARAM, Handler
from asgi_express._scope import OBSERVED, Mounted, Observed
from asgi_express.types import Scope

if TYPE_CHECKING:
    from asgi_express._layer import Layer
    from asgi_express._selection import Selection

__all__ = ["Kind", "depth_of", "join", "place_of", "role_of", "tell_mount", "written"]

Kind: TypeAlias = Literal["router", "route", "handler", "middleware", "guard", "param", "error", "app"]


def depth_of(frame: Frame | None) -> int:
    """Return how many routers are around what a frame selects."""
    depth = 0
    while frame is not None:
        depth += type(frame) is RouterFrame
        frame = frame.parent
    return depth


def role_of(handler: Handler, frame: Frame | None) -> Kind:
    """Return what a handler is there where a walk stands, just after it was selected."""
    kind = handler.kind
    if kind == PARAM:
        return "param"
    if kind == ERROR:
        return "error"
    if type(frame) is RouteFrame and frame.position <= frame.guards:
        return "guard"
    if kind == APP and handler.opaque:
        return "app"
    return "handler" if type(frame) is RouteFrame else "middleware"


def place_of(frame: Frame | None, base: str, *, own: bool = False) -> str:
    """Return the path of a frame as it was written: the prefixes of mounts, and of the layer itself if asked for.

    Args:
        frame: where a walk stands.
        base: what the host took off.
        own: whether to add the path of the layer that was selected last.
    """
    parts: list[str] = []
    layer: Layer | None = None
    each = frame
    while each is not None:
        if own and layer is None and type(each) is RouterFrame:
            layer = each.router.stack[each.index - 1] if each.index else None
            parts.append(written(layer.path) if layer is not None else "")
        if each.prefix is not None:
            parts.append(written(each.prefix.source).rstrip("/"))
        each = each.parent
    parts.append(base)
    return join(*reversed(parts)).rstrip("/") or "/"


def tell_mount(walk: Selection, handler: Handler, scope: Scope) -> None:
    """Tell those who watch a request which app of its own has it, and what scope it is given."""
    observed: Observed | None = walk.scope.get(OBSERVED)
    if observed is not None:
        scope[OBSERVED] = Observed()
        path = place_of(walk.frame, "", own=True)
        observed.mount = Mounted(path, handler.fn, scope, scope.get("root_path", ""))


def join(*parts: str) -> str:
    """Return a path of the prefixes of mounts and what stands there."""
    return "".join(part.rstrip("/") for part in parts[:-1]) + parts[-1]


def written(path: Any) -> str:
    """Return a path as it was written; several are alternatives."""
    if isinstance(path, (list, tuple)):
        return "|".join(map(written, path))
    return path if isinstance(path, str) else f"re.compile({path.pattern!r})"

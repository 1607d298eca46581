"""The actions of an app, in the order in which they are tried."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping
from typing import Any, cast

from asgi_express._handlers import name_of
from asgi_express._layer import Layer
from asgi_express.actions._calls import Action
from asgi_express.actions._grammar import ActionPattern, compile_action_path
from asgi_express.actions.respond import Responder
from asgi_express.errors import MisuseError
from asgi_express.route import Route

__all__ = ["Entries", "Entry"]


class ActionRoute(Route):
    """The route of an action. It takes every method of its path, and says which it serves."""

    __slots__ = ("_action",)

    def __init__(self, path: str, action: Action, name: str | None, meta: Mapping[str, Any] | None) -> None:
        super().__init__(path, name=name, meta=meta)
        self._action = action

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that it answers; ``"*"`` for every one."""
        return tuple(self._action.actions) if isinstance(self._action, Responder) else ("*",)

    @property
    def allowed(self) -> tuple[str, ...]:
        """What ``Allow`` says of it."""
        return self._action.allowed if isinstance(self._action, Responder) else ()


class Entry:
    """One action: its path and name, what answers, and the filters before it."""

    __slots__ = ("action", "filters", "joins", "meta", "name", "owner", "path", "pattern", "route")

    def __init__(
        self,
        name: str | None,
        path: str,
        action: Action,
        *,
        filters: tuple[list[Action], ...] = (),
        meta: Mapping[str, Any] | None = None,
        joins: bool = False,
        owner: type | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.pattern: ActionPattern = compile_action_path(path)
        self.action = action
        self.filters = filters
        self.meta = meta
        self.joins = joins  # whether other methods of the path may be added
        self.owner = owner  # the class that defines it, if a class does
        self.route = ActionRoute(path, action, name, meta)

    @property
    def endpoint(self) -> Callable[..., Any]:
        """The action, or the last of those by method."""
        actions = list(self.action.actions.values()) if isinstance(self.action, Responder) else []
        return actions[-1] if actions else self.action


class Entries:
    """The actions of an app, kept sorted by precedence on the stack of its router.

    Args:
        stack: the stack of the router.
        handler: returns what the router is to call for an entry.

    Attributes:
        ahead: how many layers of the stack stand before the actions.
        entries: the actions, those that are tried first in front.
    """

    def __init__(self, stack: list[Layer], handler: Callable[[Entry], Callable[..., Any]]) -> None:
        self._stack = stack
        self._handler = handler
        self._order: list[tuple[float, int]] = []
        self._count = 0  # registered so far: of equal precedence, the earlier is tried first
        self.ahead = 0
        self.entries: list[Entry] = []

    def join(
        self,
        name: str | None,
        path: str,
        method: str | None,
        action: Action,
        meta: Mapping[str, Any] | None = None,
        owner: type | None = None,
    ) -> None:
        """Add an action, or a method to the route that the path has."""
        there = next((entry for entry in self.entries if entry.path == path and entry.joins), None)
        if method is None:
            self.add(Entry(name, path, action, meta=meta, owner=owner))
        elif there is None:
            self.add(Entry(name, path, Responder(methods={method: action}), meta=meta, joins=True, owner=owner))
        else:
            actions = cast("Responder", there.action).actions
            if there.name != name:
                msg = f"the path {path!r} has the name {there.name!r}; {method} is to have the same, not {name!r}"
                raise MisuseError(msg)
            if method in actions:
                msg = f"{method} {path!r} is taken by {name_of(actions[method])}"
                raise MisuseError(msg)
            actions[method] = there.route.endpoint = action
            there.meta = there.route.meta = {**there.route.meta, **(meta or {})}

    def replace(self, name: str | None, path: str, method: str | None, action: Action, owner: type) -> None:
        """Add an action of a class; what a base has under the path or the name gives way to it."""
        for index, entry in reversed(list(enumerate(self.entries))):
            if entry.owner is owner or not (entry.path == path or (name is not None and entry.name == name)):
                continue
            if entry.path == path and entry.joins and method is not None and entry.name == name:
                cast("Responder", entry.action).actions.pop(method, None)
            else:
                del self.entries[index], self._order[index], self._stack[self.ahead + index]
        self.join(name, path, method, action, owner=owner)

    def add(self, entry: Entry) -> None:
        for other in self.entries:
            if other.path == entry.path or (entry.name is not None and entry.name == other.name):
                what = f"path {entry.path!r}" if other.path == entry.path else f"name {entry.name!r}"
                msg = f"the {what} is taken by {name_of(other.endpoint)}"
                raise MisuseError(msg)
        entry.route._add(None, self._handler(entry))
        entry.route.endpoint = entry.endpoint
        self._count += 1
        place = (entry.pattern.precedence, self._count)
        index = bisect(self._order, place)
        self._order.insert(index, place)
        self.entries.insert(index, entry)
        self._stack.insert(self.ahead + index, Layer(entry.pattern, end=True, route=entry.route))

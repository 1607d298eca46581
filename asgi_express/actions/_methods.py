"""``app.match``, ``app.get`` and their like: registration by a call, or as a decorator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from asgi_express._verbs import Decorator

if TYPE_CHECKING:
    from asgi_express.actions._app import Actions

__all__ = ["ActionMethod", "split_path"]

A = TypeVar("A", bound=Callable[..., Any])


class ActionVerb:
    """``app.get`` and its like: ``([name], path, action)``, or a decorator if there is no action."""

    __slots__ = ("_app", "_method")

    def __init__(self, app: Actions, method: str | None) -> None:
        self._app = app
        self._method = method

    @overload
    def __call__(
        self, name_or_path: str, path: str = ..., /, *, name: str | None = None, meta: Mapping[str, Any] | None = None
    ) -> Decorator: ...
    @overload
    def __call__(
        self, path: str, action: A, /, *, name: str | None = None, meta: Mapping[str, Any] | None = None
    ) -> A: ...
    @overload
    def __call__(self, name: str, path: str, action: A, /, *, meta: Mapping[str, Any] | None = None) -> A: ...
    def __call__(self, *args: Any, name: str | None = None, meta: Mapping[str, Any] | None = None) -> Any:
        """Register an action; return it, or without one a decorator.

        Several methods of one path are one route, and its name is the same in each call.

        Args:
            *args: the name of the route, which may be left out; its path in Lapis's grammar; the action.
            name: the name, if it is not among these.
            meta: facts about the route for firewalls, limits and tools.

        Raises:
            MisuseError: the path, its method or the name is taken.
            PathError: the path is not in the grammar.
            TypeError: the arguments are something else.
        """
        words = args[: sum(isinstance(each, str) for each in args[:2])]
        rest = list(args[len(words) :])
        if not rest:
            return Decorator(lambda fn: self._register(words, fn, name, meta))
        if len(rest) > 1 or not callable(rest[0]):
            msg = f"an action is registered as ([name], path, action), got {args!r}"
            raise TypeError(msg)
        return self._register(words, rest[0], name, meta)

    def _register(self, words: Sequence[str], action: A, name: str | None, meta: Mapping[str, Any] | None) -> A:
        own_name, path = split_path(words)
        self._app._actions.join(own_name or name, path, self._method, action, meta)
        return action


class ActionMethod:
    """Descriptor of one registration method; ``None`` for every HTTP method."""

    __slots__ = ("_method",)

    def __init__(self, method: str | None) -> None:
        self._method = method

    def __get__(self, app: Actions, owner: type) -> ActionVerb:
        return ActionVerb(app, self._method)


def split_path(words: Sequence[str]) -> tuple[str | None, str]:
    """Split ``(path)`` or ``(name, path)``.

    Raises:
        TypeError: it is neither.
    """
    name, path = (words[0], words[1]) if len(words) == 2 else (None, words[0] if len(words) == 1 else "")
    if not path.startswith("/") or (name is not None and name.startswith("/")):
        msg = f"an action is registered as ([name], path, action), the path beginning with a slash; got {words!r}"
        raise TypeError(msg)
    return name, path

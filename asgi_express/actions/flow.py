"""Flows: what several actions do in the same way, in a class of its own that sees the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ClassVar, TypeVar, cast

__all__ = ["Flow", "memo"]

F = TypeVar("F", bound=Callable[..., Any])


class Flow:
    """A part of the program that stands on a request: what it lacks itself it reads from the request object.

    Args:
        request: the request object, or another flow of the same request.

    Attributes:
        expose_assigns: whether what is set on the flow is set on the request, for the views; or the names that are.

    Example::

        class Accounts(Flow):
            expose_assigns = ["user"]

            def load(self):
                self.user = users[self.params["id"]]
    """

    expose_assigns: ClassVar[bool | Collection[str]] = False

    _: Any
    """The request object."""

    def __init__(self, request: Any) -> None:
        object.__setattr__(self, "_", request._ if isinstance(request, Flow) else request)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_":
            raise AttributeError(name)
        return getattr(self._, name)

    def __setattr__(self, name: str, value: Any) -> None:
        exposed = self.expose_assigns
        if exposed is True or (not isinstance(exposed, bool) and name in exposed):
            setattr(self._, name, value)
        else:
            object.__setattr__(self, name, value)


def memo(method: F) -> F:
    """Make a method of a flow, plain or ``async``, run once for each flow; later calls return what it returned.

    Whatever later calls are given does not matter, as in Lapis.

    Example::

        class Accounts(Flow):
            @memo
            async def user(self):
                return await load_user(self.session["user"])
    """
    key = f"_memo_{method.__qualname__}"  # not that of the base, which it may call

    @wraps(method)
    def remember(self: Any, *args: Any, **kwargs: Any) -> Any:
        if key not in self.__dict__:
            object.__setattr__(self, key, method(self, *args, **kwargs))
        return self.__dict__[key]

    @wraps(method)
    async def remember_later(self: Any, *args: Any, **kwargs: Any) -> Any:
        if key not in self.__dict__:
            async with self.__dict__.setdefault(f"{key} lock", asyncio.Lock()):  # who comes meanwhile waits for it
                if key not in self.__dict__:
                    object.__setattr__(self, key, await method(self, *args, **kwargs))
        return self.__dict__[key]

    return cast("F", remember_later if iscoroutinefunction(method) else remember)

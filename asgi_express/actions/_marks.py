"""Class style: decorators for the functions in the body of a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

__all__ = ["before_filter", "delete", "get", "marked", "match", "patch", "post", "put"]

F = TypeVar("F", bound=Callable[..., Any])

_ROUTES = "__action_routes__"
_FILTER = "__action_filter__"


class Marked(NamedTuple):
    """A function of a class, and what its decorators say of it."""

    fn: Callable[..., Any]
    owner: type
    routes: tuple[tuple[str | None, tuple[str, ...]], ...]
    is_filter: bool


def _mark(method: str | None, path: tuple[str, ...]) -> Callable[[F], F]:
    def mark(fn: F) -> F:
        target: Any = getattr(fn, "__func__", fn)  # of a staticmethod, what is in it
        setattr(target, _ROUTES, ((method, path), *getattr(target, _ROUTES, ())))
        return fn

    return mark


def match(*path: str) -> Callable[[F], F]:
    """Make a function in the body of a class the action of ``(path)`` or ``(name, path)`` for every method.

    Example::

        class Site(Actions):
            @match("user", "/users/:id")
            def user(self):
                return {"json": self.params}
    """
    return _mark(None, path)


def get(*path: str) -> Callable[[F], F]:
    """Do as ``match``, for GET.

    Example::

        class Site(Actions):
            @get("/")
            def home(self):
                return "Hello"
    """
    return _mark("GET", path)


def post(*path: str) -> Callable[[F], F]:
    """Do as ``match``, for POST.

    Example::

        class Site(Actions):
            @post("/notes")
            def add(self):
                return {"redirect_to": "/notes"}
    """
    return _mark("POST", path)


def put(*path: str) -> Callable[[F], F]:
    """Do as ``match``, for PUT.

    Example::

        class Site(Actions):
            @put("/notes/:id")
            def change(self):
                return {"status": 204}
    """
    return _mark("PUT", path)


def patch(*path: str) -> Callable[[F], F]:
    """Do as ``match``, for PATCH.

    Example::

        class Site(Actions):
            @patch("/notes/:id")
            def amend(self):
                return {"status": 204}
    """
    return _mark("PATCH", path)


def delete(*path: str) -> Callable[[F], F]:
    """Do as ``match``, for DELETE.

    Example::

        class Site(Actions):
            @delete("/notes/:id")
            def remove(self):
                return {"status": 204}
    """
    return _mark("DELETE", path)


def before_filter(fn: F) -> F:
    """Make a function in the body of a class a filter: it runs before every action, and answers if it writes.

    Example::

        class Site(Actions):
            @before_filter
            def check(self):
                if "user" not in self.session:
                    self.write({"redirect_to": "/sign-in"})
    """
    target: Any = getattr(fn, "__func__", fn)
    setattr(target, _FILTER, True)
    return fn


def marked(cls: type) -> Iterator[Marked]:
    """Give the marked functions of a class and its bases, those of the bases first.

    A subclass that defines a function anew replaces it; without decorators of its own it keeps those of the base.

    Raises:
        TypeError: a class method is marked: an action is given the request object in the place of the class.
    """
    marks: dict[str, Any] = {}
    functions: dict[str, tuple[Callable[..., Any], type]] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            fn: Any = member.__func__ if isinstance(member, staticmethod | classmethod) else member
            routes, is_filter = getattr(fn, _ROUTES, ()), getattr(fn, _FILTER, False)
            if (routes or is_filter) and isinstance(member, classmethod):
                msg = f"{base.__qualname__}.{name}: an action or a filter is a plain function or a staticmethod"
                raise TypeError(msg)
            if routes or is_filter:
                marks[name] = (routes, is_filter)
            if name in marks:
                if isinstance(fn, FunctionType):
                    functions[name] = (fn, base)
                else:  # set to None, or to something else: taken away
                    del marks[name]
    for name, (routes, is_filter) in marks.items():
        yield Marked(*functions[name], routes, is_filter)

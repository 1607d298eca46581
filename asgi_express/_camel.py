"""Name the snake_case member when somebody writes the camelCase one out of habit."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

__all__ = ["snake_case_only"]

T = TypeVar("T", bound=type)


class _CamelCase:
    """Stands where the JavaScript name would be; reading or setting it raises.

    A descriptor and not ``__getattr__``: setting ``res.statusCode = 404`` must not pass in silence either.
    """

    __slots__ = ("camel", "snake")

    def __init__(self, camel: str, snake: str) -> None:
        self.camel = camel
        self.snake = snake

    def _refuse(self, owner: type) -> NoReturn:
        msg = f"{owner.__name__} has no {self.camel!r}; in Python it is {self.snake!r}"
        raise AttributeError(msg)

    def __get__(self, instance: Any, owner: type) -> Any:
        self._refuse(owner)

    def __set__(self, instance: Any, value: Any) -> None:
        self._refuse(type(instance))


def snake_case_only(cls: T) -> T:
    """Class decorator: every public name with an underscore refuses its camelCase form."""
    for name in {*dir(cls), *getattr(cls, "__annotations__", ())}:
        head, *tail = name.split("_")
        if head and tail:
            camel = head + "".join(part.title() for part in tail)
            setattr(cls, camel, _CamelCase(camel, name))
    return cls

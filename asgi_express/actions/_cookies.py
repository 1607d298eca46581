"""The cookies of an action: what the client sent, and what it is to get."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

__all__ = ["Cookies"]


class Cookies(MutableMapping[str, str]):
    """A mapping of cookies: reading finds those of the request, assigning sets one, ``del`` makes the client forget it.

    Args:
        given: the cookies of the request.

    Attributes:
        assigned: what is to be sent; ``None`` for a cookie that is to be forgotten.

    Example::

        self.cookies["theme"] = "dark"
    """

    __slots__ = ("_given", "assigned")

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given
        self.assigned: dict[str, str | None] = {}

    def __getitem__(self, name: str) -> str:
        value = self.assigned[name] if name in self.assigned else self._given[name]
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        if not isinstance(value, str):
            msg = (
                f"cookies[{name!r}]: a cookie is text, not {value!r}; del cookies[{name!r}] makes the client forget it"
            )
            raise TypeError(msg)
        self.assigned[name] = value

    def __delitem__(self, name: str) -> None:
        self[name]
        self.assigned[name] = None

    def __iter__(self) -> Iterator[str]:
        names = {**self._given, **self.assigned}
        return (name for name in names if self.assigned.get(name, "") is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        """Name the keys only: what they hold does not belong into logs."""
        return f"<cookies: {', '.join(map(repr, self)) or 'none'}>"

"""Marks on endpoints of other frameworks, whose routes have no metadata."""

from __future__ import annotations

from typing import Any, TypeVar

__all__ = ["is_public", "public"]

_MARK = "__asgi_express_public__"

_Endpoint = TypeVar("_Endpoint")


def public(endpoint: _Endpoint) -> _Endpoint:
    """Mark an endpoint of Starlette as one for everybody; a decorator.

    A route of this package says so itself: ``router.get("/", handler, meta={"public": True})``.

    Example::

        @public
        async def health(request): ...

        is_public(health)  # -> True
    """
    setattr(endpoint, _MARK, True)
    return endpoint


def is_public(endpoint: Any) -> bool:
    """Tell whether an endpoint is marked, itself or by its class; a class that is made from a marked one is not.

    Example: ``is_public(print)`` is ``False``.
    """
    return any(getattr(each, "__dict__", {}).get(_MARK) is True for each in (endpoint, type(endpoint)))

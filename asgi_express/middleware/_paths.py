"""Requests that an option names: by their paths, one to the letter or all below one, or by a function."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from asgi_express._scope import target
from asgi_express.types import Scope

__all__ = ["Paths", "Selector", "selector"]

Selector: TypeAlias = Callable[[Scope], bool]

# What every router reads as one and the same path: no escapes, no empty or dotted segments, no backslash.
_PLAIN = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9\-._~!$&'()*+,;=:@]+)+/?\Z")


def selector(owner: str, option: str, given: str | Sequence[str] | Selector) -> Selector:
    """Return the function that tells which requests are meant.

    Args:
        owner: whose option it is, for the words of the error.
        option: its name.
        given: paths, as :class:`Paths` takes them, or a function.

    Raises:
        ValueError: it is none of these.
    """
    if inspect.iscoroutinefunction(given):
        msg = f"{owner}: {option} must be a function that is not async, not {given!r}"
        raise ValueError(msg)
    if callable(given):
        return given
    paths: list[Any] = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    return Paths(paths, f"{owner}: {option}")


class Paths:
    """Tell whether the path of a scope is one of those that an option names. In doubt, it is none of them.

    Args:
        paths: ``"/hooks/paid"``, exactly as it is sent, or ``"/hooks/*"``, all below. The prefix of a mount does not
            count.
        option: the class and the option, for the words of errors.

    Raises:
        ValueError: one is no such path.
    """

    def __init__(self, paths: Sequence[str], option: str) -> None:
        for path in paths:
            if not isinstance(path, str) or not _is_path(path):
                msg = f"{option}: {path!r} is no path such as '/hooks/paid' or '/hooks/*', and no function"
                raise ValueError(msg)
        self._exact = frozenset(path for path in paths if path[-1] != "*")
        self._prefixes = tuple(path[:-1] for path in paths if path[-1] == "*")

    def __call__(self, scope: Scope) -> bool:
        if not self._exact and not self._prefixes:
            return False
        path = target(scope)[1].partition("?")[0]
        if path in self._exact:
            return True
        # Nothing below "/hooks/" is "/hooks/" itself: most routers take that for "/hooks" (CVE-2025-47910).
        below = any(path.startswith(prefix) and path != prefix for prefix in self._prefixes)
        return below and _PLAIN.match(path) is not None


def _is_path(path: str) -> bool:
    if path in ("/", "/*"):
        return True
    path = path.removesuffix("/*")
    return "*" not in path and _PLAIN.match(path) is not None

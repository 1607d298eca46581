"""``${env:NAME}`` and ``${env:NAME|default}``: values that come from outside of the files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from asgi_express.gateway._problems import Wrong
from asgi_express.gateway._yaml import Node

__all__ = ["expand"]

# What is shorter is no secret, and may well be part of another word.
_MIN_HIDDEN = 4

_PLACEHOLDER = re.compile(r"\$\{env:([^}|]*)(?:\|([^}]*))?\}")


def expand(
    node: Node, read: Callable[[str], str | None], report: Callable[[Wrong], None], hidden: dict[str, str]
) -> Node:
    """Return a copy in which placeholders are replaced. What they stand for is not looked through again.

    Args:
        node: a value, with all that is in it.
        read: returns the value of a name, ``None`` where it has none.
        report: is told of names without a value.
        hidden: filled with what was put in, and the text to show in its place.
    """
    value = node.value
    if isinstance(value, dict):
        return replace(node, value={key: expand(child, read, report, hidden) for key, child in value.items()})
    if isinstance(value, list):
        return replace(node, value=[expand(child, read, report, hidden) for child in value])
    if not isinstance(value, str) or "${" not in value:
        return node

    def found(match: re.Match[str]) -> str:
        name = match[1].strip()
        known = read(name) if name else None
        if known is None and match[2] is None:
            message = f"the variable {name!r} has no value" if name else f"{match[0]!r} names no variable"
            advice = f"set it, or write a default: ${{env:{name or 'NAME'}|...}}"
            report(Wrong(message, suggestion=advice, code="environment", line=node.line))
        return known if known is not None else match[2] or ""

    expanded = _PLACEHOLDER.sub(found, value)
    if len(expanded) >= _MIN_HIDDEN:
        hidden[expanded] = value
    return replace(node, value=expanded)

"""Parameters as Lapis gives them: the last of a name counts, ``a[b]=1`` nests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

__all__ = ["add_params", "query_params"]

_NESTED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]+\])+)")
_PART = re.compile(r"\[([^\[\]]+)\]")

# What a client sends must not cost more than this; a key that nests deeper is one literal key.
_MAX_PARAMS = 1000
_MAX_DEPTH = 20


def query_params(query: str) -> dict[str, str | bool]:
    """Return the parameters of a query, the last of a name; one without ``=`` is ``True``."""
    params: dict[str, str | bool] = {}
    for part in query.split("&", _MAX_PARAMS)[:_MAX_PARAMS]:
        name, equals, value = part.partition("=")
        if part:
            params[unquote_plus(name)] = unquote_plus(value) if equals else True
    return params


def add_params(params: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add parameters to those that there are; they win, key by key where both nest."""
    for key, value in more.items():
        nested = _NESTED.fullmatch(key)
        parts = [nested[1], *_PART.findall(nested[2])] if nested else []
        if not 0 < len(parts) <= _MAX_DEPTH:
            params[key] = value
            continue
        current = params
        for part in parts[:-1]:
            inner = current.get(part)
            if not isinstance(inner, dict):
                inner = current[part] = {}
            current = inner
        current[parts[-1]] = value

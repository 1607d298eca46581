"""Subscriptions from a mapping: ``{"data:request:user:get": "package.module#get_user"}``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

__all__ = ["subscriptions_in"]

_OPTIONS = {"handler", "priority", "when"}


def subscriptions_in(events: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each subscription of a mapping: the channel, and the options of ``subscribe``.

    Raises:
        ImportError: a module cannot be imported.
        TypeError: the mapping, or a value of it, is of another kind.
        ValueError: text is not ``package.module#name``, or the module has no such name.
    """
    if not isinstance(events, Mapping):
        msg = f"Channels: events must be a mapping of channels to handlers, not {events!r}"
        raise TypeError(msg)
    for channel, given in events.items():
        for each in given if isinstance(given, list | tuple) else [given]:
            yield channel, _options(channel, each)


def _options(channel: str, given: Any) -> dict[str, Any]:
    options = dict(given) if isinstance(given, Mapping) else {"handler": given}
    if "handler" not in options or not options.keys() <= _OPTIONS:
        msg = f"Channels: {channel!r} has the options {sorted(map(str, options))}; there are handler, priority, when"
        raise ValueError(msg)
    return {name: _loaded(channel, value) if isinstance(value, str) else value for name, value in options.items()}


def _loaded(channel: str, source: str) -> Any:
    module, mark, name = source.partition("#")
    if not (module and mark and name):
        msg = f"Channels: {channel!r} names {source!r}; expected 'package.module#name'"
        raise ValueError(msg)
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        msg = f"Channels: {channel!r} names {source!r}, which cannot be imported: {error}"
        raise ImportError(msg) from error
    try:
        return reduce(getattr, name.split("."), found)
    except AttributeError:
        msg = f"Channels: {channel!r} names {source!r}, but {module} has no {name!r}"
        raise ValueError(msg) from None

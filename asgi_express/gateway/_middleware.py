"""Middleware by name: ours, that of installed packages, what a program registers; and the stacks of entries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, TypeAlias

from asgi_express import middleware
from asgi_express.errors import MisuseError
from asgi_express.gateway._options import Option, options_of
from asgi_express.gateway._problems import Wrong, closest, listed
from asgi_express.gateway._registry import Entry, Registry
from asgi_express.gateway._yaml import Node

__all__ = ["GROUP", "Spec", "Stacks", "Use", "available", "builtin", "patterns", "read_stacks", "register"]

GROUP = "asgi_express.middleware"
"""The entry point group of packages that bring middleware."""

# Where Wippy's default is another than that of the class.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "cors": {"allow_origins": "*"},
    "ratelimit": {"entry_ttl": "10m"},
    "token_auth": {"query_param": "x-auth-token"},
}

# What stands before an option besides the name of its middleware, and in the older underscore form instead of it.
_PREFIXES = {"token_auth": "token", "websocket_relay": "wsrelay", "sse_relay": "sserelay"}

_POST = ("endpoint_firewall", "resource_firewall", "websocket_relay", "sse_relay")
_BEFORE = {"ratelimit": "real_ip", "token_auth": "real_ip"}

_registered: dict[str, Callable[..., Any]] = {}


@dataclass(frozen=True, slots=True)
class Spec:
    """A middleware that entries can name.

    Attributes:
        name: what it is called in files.
        cls: the class; called with the app and the options.
        options: what it takes.
        defaults: what is set where the file is silent.
        post: whether it belongs after the match; ``None`` for either.
    """

    name: str
    cls: Callable[..., Any]
    options: Mapping[str, Option]
    defaults: Mapping[str, Any]
    post: bool | None

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What may stand before its options."""
        return (self.name, *filter(None, (_PREFIXES.get(self.name),)))


@dataclass(frozen=True, slots=True)
class Use:
    """A middleware on a stack, with its options.

    Attributes:
        spec: the middleware.
        options: what the file says, read; references are IDs.
        path: the field that names it: ``middleware`` or ``post_middleware``.
        line: where it is named.
        lines: where its options are.
        is_sound: whether nothing was found to be wrong with them.
    """

    spec: Spec
    options: Mapping[str, Any]
    path: str
    line: int
    lines: Mapping[str, int]
    is_sound: bool

    @property
    def unread(self) -> set[str]:
        """The options that the file sets to what they cannot hold."""
        return {name for name in self.lines if name not in self.options}

    def blamed(self, message: str) -> str | None:
        """Return the option that a message is about, as far as one can tell: the first that it names."""
        found = {name: re.search(rf"\b{name}\b", message) for name in self.lines}
        places = {name: match.start() for name, match in found.items() if match}
        return min(places, key=lambda name: places[name], default=None)


Stacks: TypeAlias = "dict[tuple[str, str], list[Use]]"
"""The middleware of entries, by the entry's ID and the field that names it."""


def register(name: str, cls: Callable[..., Any]) -> None:
    """Let files name a middleware of yours. A package does it with an entry point, group ``asgi_express.middleware``.

    Args:
        name: what it is called in ``middleware`` and before its options.
        cls: a class, or function, that is called with the app and, by keyword, the options that the file sets.

    Raises:
        MisuseError: the name is taken by another class.
        TypeError: it cannot be called.

    Example::

        from starlette.middleware.gzip import GZipMiddleware

        register("gzip", GZipMiddleware)
        "gzip" in available()  # -> True
    """
    if not callable(cls):
        msg = f"register({name!r}): expected a middleware class, got {cls!r}"
        raise TypeError(msg)
    if name in builtin() or _registered.get(name, cls) is not cls:
        msg = f"register({name!r}): there is a middleware of this name already"
        raise MisuseError(msg)
    _registered[name] = cls


@cache
def builtin() -> Mapping[str, Spec]:
    """Return the middleware of this package; the name of each is that of its module."""
    specs = {}
    for each in middleware.__all__:
        cls = getattr(middleware, each)
        name = cls.__module__.rpartition(".")[2]
        specs[name] = _spec(name, cls, post=name in _POST)
    return MappingProxyType(specs)


def _spec(name: str, cls: Callable[..., Any], *, post: bool | None) -> Spec:
    options = options_of(cls)
    return Spec(name, cls, options, _DEFAULTS.get(name, {}), post)


def available(more: Mapping[str, Callable[..., Any]] | None = None) -> Mapping[str, Spec | None]:
    """Return all that files can name. What an installed package brings is imported when it is first named."""
    found: dict[str, Spec | None] = {point.name: None for point in entry_points(group=GROUP)}
    for name, cls in {**_registered, **(more or {})}.items():
        found[name] = _spec(name, cls, post=None)
    return {**found, **builtin()}


def patterns(spec: Spec) -> Iterator[tuple[str, Option]]:
    """Give the options of a middleware with the patterns of their names: ``.`` and ``_`` are one."""
    for option in spec.options.values():
        names = "|".join("[._]".join(f"{prefix}_{option.name}".split("_")) for prefix in spec.prefixes)
        yield f"^({names})$", option


# -- stacks


def read_stacks(registry: Registry, known: Mapping[str, Spec | None]) -> Stacks:
    """Read the middleware of all entries."""
    stacks = {}
    specs = dict(known)
    for entry in registry.of_kind("http.router", "http.static"):
        for path, options in (("middleware", "options"), ("post_middleware", "post_options")):
            stacks[entry.id, path] = _Stack(registry, entry, path, options, specs).read()
    return stacks


class _Stack:
    """One list of middleware of one entry."""

    def __init__(
        self, registry: Registry, entry: Entry, path: str, options: str, known: dict[str, Spec | None]
    ) -> None:
        self._registry = registry
        self._entry = entry
        self._path = path
        self._options = options
        self._known = known

    def read(self) -> list[Use]:
        """Read the names, and share the options out among them."""
        entry = self._entry
        names: list[str] = entry.values.get(self._path, [])
        specs: dict[str, Spec] = {}
        for name in names:
            if name in specs:
                self._add(self._path, "duplicate-option", f"{self._path} names {name!r} twice", "name it once")
                continue
            spec = self._find(name)
            if spec is not None:
                specs[name] = spec
                self._check_place(spec, list(specs))
        options: dict[str, Node] = entry.values.get(self._options, {})
        taken = self._share(options, specs, complete=len(specs) == len(set(names)))
        line = entry.line_of(self._path)
        uses = []
        for name, spec in specs.items():
            given = taken.get(name, {})
            values, is_sound = self._read(spec, given)
            lines = {option: node.line for option, node in given.items()}
            uses.append(Use(spec, values, self._path, line, lines, is_sound))
        return uses

    def _add(self, path: str, code: str, message: str, suggestion: str | None = None) -> None:
        self._registry.add(self._entry, path, code, message, suggestion)

    def _find(self, name: str) -> Spec | None:
        if name not in self._known:
            advice = closest(name, self._known, otherwise=f"there are {listed(sorted(self._known))}")
            self._add(self._path, "unknown-middleware", f"there is no middleware {name!r}", advice)
            return None
        spec = self._known[name]
        if spec is None:
            try:
                spec = self._known[name] = _spec(name, _load(name), post=None)
            except Exception as error:  # whatever its code does
                message = f"middleware {name!r} cannot be imported: {error!r}"
                self._add(self._path, "unknown-middleware", message, "its package is broken, or another is missing")
        return spec

    def _check_place(self, spec: Spec, before: list[str]) -> None:
        is_post = self._path == "post_middleware"
        if spec.post is not None and spec.post != is_post:
            other = "post_middleware" if spec.post else "middleware"
            when = "before the match it cannot know the endpoint" if spec.post else "after the match it is too late"
            self._add(
                self._path, "unsafe", f"{spec.name} does not belong into {self._path}: {when}", f"name it in {other}"
            )
        late = [name for name in before if _BEFORE.get(name) == spec.name]
        if late:
            message = f"{spec.name} comes after {late[0]}, which then sees the address of the proxy"
            self._add(self._path, "unsafe", message, f"name {spec.name} first")

    def _share(
        self, given: Mapping[str, Node], specs: Mapping[str, Spec], *, complete: bool
    ) -> dict[str, dict[str, Node]]:
        """Find whose each option is."""
        owners = {
            f"{prefix}_{option}": (spec, option)
            for spec in specs.values()
            for prefix in spec.prefixes
            for option in spec.options
        }
        taken: dict[str, dict[str, Node]] = {}
        for key, node in given.items():
            owner = owners.get(key.replace(".", "_"))
            if owner is None:
                if complete or not self._may_belong(key, specs):
                    self._unknown(key, specs)
                continue
            spec, option = owner
            values = taken.setdefault(spec.name, {})
            if option in values:
                message = f"{key!r} says again what line {values[option].line} says"
                error = Wrong(message, suggestion="take one of the two out", code="duplicate-option", line=node.line)
                self._registry.wrong(self._entry, self._options, error)
            values.setdefault(option, node)
        return taken

    @staticmethod
    def _may_belong(key: str, specs: Mapping[str, Spec]) -> bool:
        """Tell whether an option may be that of a middleware that was not found."""
        return not any(
            key.replace(".", "_").startswith(prefix + "_") for spec in specs.values() for prefix in spec.prefixes
        )

    def _unknown(self, key: str, specs: Mapping[str, Spec]) -> None:
        normal = key.replace(".", "_")
        dotted = {
            f"{prefix}.{option.replace('_', '.')}": spec
            for spec in specs.values()
            for prefix in spec.prefixes
            for option in spec.options
        }
        elsewhere = [
            spec.name
            for name, spec in self._known.items()
            if spec is not None
            and name not in specs
            and any(normal == f"{prefix}_{option}" for prefix in spec.prefixes for option in spec.options)
        ]
        if elsewhere:
            advice: str | None = f"{elsewhere[0]} is not in {self._path}"
        else:
            advice = closest(key, dotted) or closest(key.replace("_", "."), dotted)
            names = [name for name, spec in dotted.items() if key.startswith(spec.name) and name.startswith(spec.name)]
            advice = advice or (f"there are {listed(names)}" if names else f"middleware here: {listed(specs)}")
        node = self._entry.values[self._options][key]
        error = Wrong(f"there is no option {key!r}", suggestion=advice, code="unknown-option", line=node.line)
        self._registry.wrong(self._entry, self._options, error)

    def _read(self, spec: Spec, given: Mapping[str, Node]) -> tuple[dict[str, Any], bool]:
        values: dict[str, Any] = dict(spec.defaults)
        is_sound = True
        for name, node in given.items():
            option = spec.options[name]
            try:
                value = None if node.value is None and option.nullable else option.type.read(node, self._entry)
            except Wrong as error:
                error.message = f"{spec.name}: {name}: {error.message}"
                error.line = error.line or node.line
                self._registry.wrong(self._entry, self._options, error)
                values.pop(name, None)  # the default is not what was meant
                is_sound = False
                continue
            values[name] = value
        for option in spec.options.values():
            if option.required and option.name not in given:
                key = f"{spec.name}.{option.name.replace('_', '.')}"
                message = f"{spec.name} needs the option {key!r}, {option.type.words}"
                self._add(self._path, "missing-field", message, f"write it into {self._options}")
                is_sound = False
        return values, is_sound


def _load(name: str) -> Callable[..., Any]:
    (point, *_) = entry_points(group=GROUP, name=name)
    loaded: Callable[..., Any] = point.load()
    return loaded

"""What entries name that is no route: functions, stores, policies and token stores."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from asgi_express.errors import MisuseError
from asgi_express.gateway._functions import Modules
from asgi_express.gateway._jwt import jwt_validator
from asgi_express.gateway._problems import Wrong
from asgi_express.gateway._registry import Entry, Registry
from asgi_express.gateway._types import Choice, ListOf, Reference, Text, Type
from asgi_express.processes import Processes
from asgi_express.security import Policies, Policy, TokenStore
from asgi_express.stores import MemoryStore, RedisStore, Store

__all__ = ["ABSENT", "Objects", "hosting", "resource", "serving"]

ABSENT: Any = object()
"""What stands for an entry that could not be made, which was noted."""


_REDIS = "write redis://localhost:6379/0, say"
_RULES = "docs/security.md has the fields, the operators and the language"
_KEY = "take it from the environment: ${env:TOKEN_KEY}"


_serving: ContextVar[Objects] = ContextVar("asgi_express.gateway.objects")
hosting: ContextVar[Processes | None] = ContextVar("asgi_express.gateway.processes", default=None)
"""The processes of the service that is serving here."""


def resource(name: str) -> Any:
    """Return what an entry has become, for a function: a store, a token store, a policy, another function, a path.

    Args:
        name: the ID of the entry, with its namespace.

    Raises:
        LookupError: there is none, or it is of a kind that becomes nothing, such as a router.
        MisuseError: no request of a gateway is being served here.

    Example::

        with serving(held.objects):
            resource("app:users").name  # -> "app:users"
    """
    try:
        objects = _serving.get()
    except LookupError:
        msg = f"resource({name!r}): no request of a gateway is being served here"
        raise MisuseError(msg) from None
    found = objects.find(name)
    if found is ABSENT:
        msg = f"resource({name!r}): no entry of this ID is a function, a store, a token store, a policy or a directory"
        raise LookupError(msg)
    return found


@contextmanager
def serving(objects: Objects, processes: Processes | None = None) -> Iterator[None]:
    """Let :func:`resource` know the objects in a ``with`` block, and ``process`` the processes."""
    tokens = _serving.set(objects), hosting.set(processes)
    try:
        yield
    finally:
        _serving.reset(tokens[0])
        hosting.reset(tokens[1])


class Objects:
    """What the entries of a registry have become, by their IDs.

    Attributes:
        modules: the modules of the functions.
        functions: the functions.
        stores: the stores.
        directories: the paths of the directories.
        policies: the policies.
        token_stores: the token stores.
        groups: all policies, by group.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.modules = Modules()
        self.functions = self._make("function.python", make=self._function, path="method")
        self.stores = self._make("store.memory", make=_memory, path="max_entries")
        self.stores |= self._make("store.redis", make=_redis, path="url")
        self.directories = {each.id: each.values["directory"] for each in registry.sound("fs.directory")}
        self.policies = self._make("security.policy", make=_policy, path="policy.conditions", advice=_RULES)
        self.policies |= self._make("security.policy.expr", make=_policy, path="policy.expression", advice=_RULES)
        self.groups = Policies(self.policies.values())
        self.token_stores = self._make("security.token_store", make=self._token_store, path="token_key", advice=_KEY)
        self.token_stores |= self._make("security.token_store.jwt", make=self._jwt, path="keys")

    def _make(self, kind: str, *, make: Callable[[Entry], Any], path: str, advice: str = "") -> dict[str, Any]:
        made = {}
        for entry in self._registry.sound(kind):
            found = self._registry.attempt(entry, path, lambda each=entry: make(each), advice)  # type: ignore[misc]
            if found is not None and found is not ABSENT:
                made[entry.id] = found
        return made

    def resolve(self, kind: Type, value: Any) -> Any:
        """Put what an ID stands for in its place; ``ABSENT`` where there is none that fits, which was noted."""
        if isinstance(kind, ListOf) and isinstance(kind.item, Reference):
            found = [self.resolve(kind.item, each) for each in value]
            return ABSENT if any(each is ABSENT for each in found) else found
        for option in getattr(kind, "types", (kind,)):
            if isinstance(option, Text) or (isinstance(option, Choice) and value in option.options):
                break
            if isinstance(option, Reference) and isinstance(value, str):
                entry = self._registry.entries.get(value)
                return self.find(value) if entry is None or entry.kind.name in option.kinds else ABSENT
        return value

    def find(self, name: str) -> Any:
        """Return what an entry has become, ``ABSENT`` if nothing."""
        homes = (self.functions, self.stores, self.token_stores, self.policies, self.directories)
        return next((home[name] for home in homes if name in home), ABSENT)

    def _function(self, entry: Entry) -> Any:
        source = entry.values["source"]
        module = self._registry.attempt(entry, "source", lambda: self.modules.module(source, entry.base))
        return ABSENT if module is None else self.modules.function(module, entry.values["method"])

    def _token_store(self, entry: Entry) -> Any:
        values = entry.values
        where = self._registry.entries[values["store"]]
        if where.values.get("full") == "evict":
            message = f"{where.id} forgets the tokens used least when it is full"
            self._registry.add(entry, "store", "unsafe", message, f"set full: refuse in {where.id}")
        if where.id not in self.stores:
            return ABSENT
        return TokenStore(
            self.stores[where.id],
            policies=self.groups,
            secret=values.get("token_key", ()),
            token_length=values["token_length"],
            default_expiration=values["default_expiration"],
        )

    def _jwt(self, entry: Entry) -> Any:
        functions = {name: self._served(function) for name, function in self.functions.items()}
        made = jwt_validator(self._registry, entry, functions, self.groups)
        return ABSENT if made is None else made

    def _served(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Let a function of claims ask for resources where no request is being served: in explanations, say."""

        async def call(claims: Any) -> Any:
            with serving(self):
                made = function(claims)
                return await made if inspect.isawaitable(made) else made

        return call


def _memory(entry: Entry) -> Store:
    return MemoryStore(max_entries=entry.values["max_entries"], full=entry.values["full"])


def _redis(entry: Entry) -> Store:
    values = entry.values
    names = ("prefix", "timeout", "max_connections")
    try:
        return RedisStore(values["url"], **{name: values[name] for name in names})
    except (TypeError, ValueError):
        # In its own words there may be a part of the password.
        raise Wrong("this is no URL that redis-py can read", suggestion=_REDIS) from None


def _policy(entry: Entry) -> Policy:
    values = entry.values
    return Policy(
        entry.id,
        values["policy.actions"],
        values["policy.resources"],
        values["policy.effect"],
        values.get("policy.conditions", ()),
        values.get("groups", ()),
        values.get("policy.expression"),
    )

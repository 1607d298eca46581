"""Make, end and look at tokens in the stores of a gateway, or in a ``TokenStore`` of a module."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from asgi_express.cli._failure import Failure
from asgi_express.errors import ExpressError
from asgi_express.gateway import Gateway
from asgi_express.security import Actor, Grant, JWTValidator, TokenStore

__all__ = ["create", "facts_of", "inspect", "pairs", "revoke"]


def pairs(texts: Iterable[str]) -> dict[str, Any]:
    """Return ``name=value`` texts as a mapping; a value that is JSON is what it says.

    Raises:
        ValueError: one has no ``=``.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name:
            msg = f"expected name=value, got {text!r}"
            raise ValueError(msg)
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


async def create(
    target: Any, store: str | None, actor: Actor, groups: list[str], *, expires: str | None
) -> tuple[str, Grant]:
    """Make a token, and return it with what it stands for.

    Raises:
        Failure: the store forgets it with this process, or cannot be had; there is no such group or duration.
    """
    if isinstance(target, Gateway):
        _check_lasts(target, _store_id(target, store))
    async with _opened(target, store) as tokens:
        token = await tokens.create(actor, groups, expires=expires)
        grant = await tokens.validate(token)
    assert grant is not None  # noqa: S101 - it was made just now
    return token, grant


async def inspect(target: Any, store: str | None, token: str) -> Grant | None:
    """Return what a token stands for, ``None`` if it is not valid."""
    async with _opened(target, store, makes=False) as tokens:
        grant: Grant | None = await tokens.validate(token)
    return grant


async def revoke(target: Any, store: str | None, token: str) -> bool:
    """End a token; tell whether it was valid."""
    async with _opened(target, store) as tokens:
        grant = await tokens.validate(token)
        await tokens.revoke(token)
    return grant is not None


def facts_of(grant: Grant) -> dict[str, Any]:
    """Return what a token stands for, as JSON can write it. The token itself is not in it."""
    policies = [] if grant.scope is None else [policy.name for policy in grant.scope]
    expires = datetime.fromtimestamp(grant.expires, UTC).isoformat(timespec="seconds")
    return {"actor": grant.actor.id, "meta": dict(grant.actor.meta), "policies": policies, "expires": expires}


@asynccontextmanager
async def _opened(target: Any, store: str | None, *, makes: bool = True) -> AsyncIterator[Any]:
    """Yield the store; what only checks tokens, unless they are to be made or ended.

    Raises:
        Failure: there is none, or it is away.
    """
    try:
        if isinstance(target, TokenStore) or (isinstance(target, JWTValidator) and not makes):
            if store is not None:
                msg = "--store is for a gateway: this is a token store itself"
                raise Failure(msg)
            yield target
            return
        if not isinstance(target, Gateway):
            kind = type(target)
            what = "a TokenStore" if makes else "a TokenStore or a JWTValidator"
            msg = f"expected the files of a gateway or {what}, not a {kind.__module__}.{kind.__qualname__}"
            raise Failure(msg)
        try:
            yield target.token_validators[_store_id(target, store, makes=makes)]
        finally:
            for each in target._current.made.objects.stores.values():
                await each.aclose()
    except (ExpressError, LookupError, TypeError, ValueError) as error:
        words = error.args[0] if isinstance(error, LookupError) and error.args else error
        raise Failure(str(words)) from error


def _store_id(gateway: Gateway, store: str | None, *, makes: bool = True) -> str:
    known = list(gateway.token_stores if makes else gateway.token_validators)
    if store is None and len(known) == 1:
        return known[0]
    if store in known:
        return store
    others = [name for name in gateway.token_validators if name not in known]
    if store in others or (others and not known):
        msg = f"{store or others[0]} only checks tokens (security.token_store.jwt): who issues them makes and ends them"
        raise Failure(msg)
    words = "there is no token store" if not known else f"which token store? There are {', '.join(known)}"
    asked = f" {store!r}" if store is not None and not known else ""
    raise Failure(words + asked + (" (--store)" if known else " in the files (security.token_store)"))


def _check_lasts(gateway: Gateway, store: str) -> None:
    entry = gateway.registry.entries[gateway.registry.entries[store].values["store"]]
    if entry.kind.name == "store.memory":
        msg = f"{store} is kept in memory ({entry.id}): a token made here would end with this command. Use store.redis"
        raise Failure(msg)

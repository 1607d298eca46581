"""Opaque tokens: random text that means something only to the store that made it."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from asgi_express._memo import Memo
from asgi_express._units import parse_duration
from asgi_express.security._values import freeze, thaw
from asgi_express.security.actor import Actor
from asgi_express.security.scope import Policies, Scope
from asgi_express.stores import Store
from asgi_express.stores._protocol import check_store
from asgi_express.types import Duration

__all__ = ["Grant", "TokenStore", "TokenValidator"]

_log = logging.getLogger("asgi_express.security")

_MIN_LENGTH, _MAX_LENGTH = 16, 256
_MIN_SECRET = 16
_MAX_TOKEN = 1024

# Records that are kept read, and the bytes of the longest.
_KEPT, _MAX_KEPT = 1024, 1024


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for.

    Attributes:
        actor: who acts with it.
        scope: the policies that apply; ``None`` where the token brings none.
        expires: when it ends, in seconds since the epoch.
        meta: what was kept with the token.

    Example: ``Grant(Actor("ada"), None, expires=1767225600.0).actor.id`` is ``"ada"``.
    """

    actor: Actor
    scope: Scope | None
    expires: float
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)


class TokenValidator(Protocol):
    """What ``TokenAuth`` asks of a store."""

    async def validate(self, token: str) -> Grant | None:
        """Return what a token stands for, ``None`` if it is not valid, for whatever reason.

        Raises:
            StoreUnavailable: nobody knows now.

        Example::

            grant = await tokens.validate(token)
        """


class TokenStore:
    """Make, check and revoke opaque tokens.

    A token is ``random``, or ``random.signature`` with a secret, in URL-safe Base64. The store keeps only its SHA-256
    and whom it stands for: who reads the store cannot use what is there. With a secret, what was not made here is
    refused without asking the store.

    Args:
        store: where they are kept: ``RedisStore`` for more than one process. A ``MemoryStore`` should refuse when full:
            one that evicts ends the tokens that were used least recently.
        policies: where the scopes come from. A token keeps the names of groups; their policies are looked up whenever
            it is validated, so that a change reaches tokens that are out.
        secret: what tokens are signed with (HMAC-SHA256), 16 characters or more. Of several the first signs and all
            are accepted.
        token_length: random bytes in a token, 16 to 256.
        default_expiration: how long a token lasts if ``create`` is not told.
        clock: seconds since the epoch.

    Raises:
        TypeError: ``store`` or ``policies`` is none.
        ValueError: an option is out of range.

    Examples::

        tokens = TokenStore(MemoryStore(full="refuse"))

        tokens = TokenStore(
            RedisStore("redis://localhost"),
            policies=policies,
            secret=os.environ["TOKEN_KEY"],
            default_expiration="2h",
        )
        token = await tokens.create(Actor("ada"), "users")
    """

    def __init__(
        self,
        store: Store,
        *,
        policies: Policies | None = None,
        secret: str | Sequence[str] = (),
        token_length: int = 32,
        default_expiration: Duration = "24h",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(token_length, bool) or not isinstance(token_length, int):
            token_length = 0
        if not _MIN_LENGTH <= token_length <= _MAX_LENGTH:
            msg = f"TokenStore: token_length must be {_MIN_LENGTH} to {_MAX_LENGTH} bytes"
            raise ValueError(msg)
        each = (secret,) if isinstance(secret, str) else tuple(secret)
        if any(not isinstance(one, str) or len(one) < _MIN_SECRET for one in each):
            msg = f"TokenStore: a secret needs {_MIN_SECRET} characters or more"
            raise ValueError(msg)
        check_store("TokenStore", store)
        if policies is not None and not isinstance(policies, Policies):
            msg = f"TokenStore: policies must be a Policies object, not {type(policies).__name__}"
            raise TypeError(msg)
        self._store = store
        self._policies = policies
        # Copied for each token: to begin with the secret again would take 1.3 us instead of 0.7.
        self._secrets = tuple(hmac.new(one.encode(), digestmod="sha256") for one in each)
        self._length = token_length
        self._lifetime = _above_zero("default_expiration", default_expiration)
        self._clock = clock
        self._signed: Memo[str, str] = Memo(_KEPT)
        self._grants: Memo[bytes, Grant] = Memo(_KEPT)

    async def create(
        self,
        actor: Actor,
        scope: str | Sequence[str] = (),
        *,
        expires: Duration | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> str:
        """Make a token; it cannot be had a second time.

        Args:
            actor: whom it stands for. What its ``meta`` holds must be what JSON can write.
            scope: the groups whose policies apply; without any, the token brings no scope.
            expires: how long it lasts, from now.
            meta: what to keep with it.

        Raises:
            LookupError: no policy is in such a group.
            StoreUnavailable: the store cannot keep it.
            TypeError: JSON has no form for a fact.
            ValueError: ``expires`` is not above 0, or groups are named and there are no ``policies``.

        Example::

            token = await tokens.create(Actor("ada"), "users", expires="2h", meta={"device": "phone"})
        """
        groups = [scope] if isinstance(scope, str) else list(scope)
        if groups and self._policies is None:
            msg = "TokenStore: a token with a scope needs a store with policies"
            raise ValueError(msg)
        self._scope(groups)
        lifetime = self._lifetime if expires is None else _above_zero("expires", expires)
        record = {
            "actor": actor.id,
            "actor_meta": thaw(actor.meta),
            "groups": groups,
            "expires": self._clock() + lifetime,
            "meta": thaw(freeze(meta or {})),
        }
        value = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
        token = secrets.token_urlsafe(self._length)
        if self._secrets:
            token = f"{token}.{_signature(token, self._secrets[0])}"
        await self._store.set(_key(token), value, ttl=lifetime)
        return token

    async def validate(self, token: str) -> Grant | None:
        """Return what a token stands for; ``None`` if it was not made here, has ended or was revoked.

        A token whose groups are not there any more is not valid: a policy that denies might be missing.

        Raises:
            StoreUnavailable: the store cannot answer.

        Example::

            grant = await tokens.validate(token)
            grant.actor  # -> Actor("ada")
        """
        key = self._key_of(token)
        value = None if key is None else await self._store.get(key)
        if value is None:
            return None
        # The same record means the same, and nothing of it can be changed: 4 us to read it, 0.1 to remember.
        grant = self._grants.get(value) or self._read(value)
        return grant if grant is not None and self._clock() < grant.expires else None

    def _read(self, value: bytes) -> Grant | None:
        record = json.loads(value)
        try:
            scope = self._scope(record["groups"])
        except LookupError as error:
            _log.warning("a token of %a is not valid: %s", record["actor"], error)
            return None
        actor = Actor(record["actor"], record["actor_meta"])
        grant = Grant(actor, scope, record["expires"], freeze(record["meta"]))
        return self._grants.keep(value, grant) if len(value) <= _MAX_KEPT else grant

    async def revoke(self, token: str) -> None:
        """End a token; nothing happens if there is no such token.

        Raises:
            StoreUnavailable: the store cannot answer; the token may still be valid.

        Example::

            await tokens.revoke(token)
            await tokens.validate(token)  # -> None
        """
        key = self._key_of(token)
        if key is not None:
            await self._store.delete(key)

    def _scope(self, groups: Sequence[str]) -> Scope | None:
        if not groups:
            return None
        return (self._policies or Policies(())).scope(*groups)

    def _key_of(self, token: str) -> str | None:
        """Return the key of a token in the store; ``None`` where it was not made here."""
        if not token or len(token) > _MAX_TOKEN or not token.isascii():
            return None
        key = _key(token)
        # Whose signature was right once, by its hash alone: 0.1 us instead of 1.3. Nobody else can fill it.
        if not self._secrets or key in self._signed:
            return key
        text, _, signature = token.rpartition(".")
        for secret in self._secrets:
            if hmac.compare_digest(_signature(text, secret), signature):
                return self._signed.keep(key, key)
        return None


def _key(token: str) -> str:
    return "token:" + hashlib.sha256(token.encode()).hexdigest()


def _signature(text: str, secret: hmac.HMAC) -> str:
    mac = secret.copy()
    mac.update(text.encode())
    return urlsafe_b64encode(mac.digest()).decode().rstrip("=")


def _above_zero(option: str, value: Duration) -> float:
    seconds = parse_duration(value)
    if seconds <= 0:
        msg = f"TokenStore: {option} must be above 0, not {value!r}"
        raise ValueError(msg)
    return seconds

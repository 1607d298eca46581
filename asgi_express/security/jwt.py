"""JSON Web Tokens: what an issuer has signed, checked without asking anybody."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol, TypeAlias

from asgi_express._units import parse_bytes, parse_duration
from asgi_express.security._compact import Refused, read_compact, read_object
from asgi_express.security.actor import Actor
from asgi_express.security.jwt_key import JWTKey
from asgi_express.security.scope import Scope
from asgi_express.security.tokens import Grant
from asgi_express.types import Duration, Size

__all__ = ["Claims", "JWTKeys", "JWTValidator"]

_log = logging.getLogger("asgi_express.security")

Claims: TypeAlias = Mapping[str, Any]
"""What a token says, once that is known to be true."""

_MAX_LEEWAY = 300.0

# RFC 8725 section 3.11: what an issuer signs for another purpose (logout+jwt, secevent+jwt) grants nothing here.
_USUAL_TYPES = frozenset({None, "jwt", "at+jwt"})

_TEXTS = ("iss", "sub", "jti")
_TIMES = ("exp", "nbf", "iat")


class JWTKeys(Protocol):
    """Where keys come from: a :class:`JWKS`, or what you make."""

    async def find(self, kid: str | None, algorithm: str) -> Sequence[JWTKey]:
        """Return the keys that may have signed a token.

        Args:
            kid: the key that the token names.
            algorithm: the algorithm that it names; only keys for that one are returned.

        Raises:
            StoreUnavailable: nobody knows now.

        Example::

            keys = await source.find("2026-11", "ES256")
        """
        ...


class JWTValidator:
    """Check JSON Web Tokens; a ``store`` for ``TokenAuth``.

    A token is valid if one of the keys has signed it with that key's own algorithm, it has not ended, and it is from
    the issuer and for the audience that are expected. Everything else in its header is ignored (``jwk``, ``jku``,
    ``x5u``, ``x5c``), or refused (``crit``, ``b64``, ``zip``). Why one is refused is in the log
    ``asgi_express.security``, at level ``INFO``, and nowhere else.

    Args:
        keys: one :class:`JWTKey` or several, of which a token may be signed with any: that is how keys rotate. Or a
            :class:`JWKS`.
        issuer: ``iss`` must be this, or one of these, to the letter. ``None``: it is not looked at, which is for keys
            that sign nothing but these tokens.
        audience: ``aud`` must be, or must contain, this or one of these. ``None``: it is not looked at, so that a token
            for any other service of the issuer is accepted, too.
        required: claims that must be there, besides ``exp``, and ``sub`` where the actor is made of it.
        typ: what the header must say that the token is, such as ``"at+jwt"`` (RFC 9068). ``None``: nothing, ``JWT`` or
            ``at+jwt``.
        leeway: how far the clocks may differ; 5 minutes at most.
        max_size: longer tokens are not read at all.
        to_actor: makes the actor of the claims, or ``None`` where the token is not to be accepted, say because it is on
            a list of revoked ones; it may be ``async``. The default takes ``sub`` for the id and all claims as
            ``meta``.
        to_scope: makes the :class:`Scope` of the claims, or ``None``; it may be ``async``. By default tokens bring no
            scope. A ``LookupError``, ``TypeError`` or ``ValueError`` of either means that the claims do not fit: the
            token is not valid, and the log has the traceback. Other errors are raised.
        clock: seconds since the epoch.

    Raises:
        TypeError: ``issuer`` or ``audience`` is not given, or an option is of another type.
        ValueError: an option cannot be.

    Examples::

        JWTValidator(
            keys=JWTKey("at least 32 bytes that nobody knows", "HS256"),
            issuer="https://login.example.com",
            audience="articles",
        )

        JWTValidator(
            keys=JWKS("https://login.example.com/.well-known/jwks.json"),
            issuer="https://login.example.com",
            audience="https://api.example.com",
            typ="at+jwt",
            required=["sub", "client_id", "iat", "jti"],
            to_scope=lambda claims: policies.scope(*claims["groups"]),
        )

    Sources: RFC 7519, RFC 8725 (best practices), RFC 9068 (access tokens).
    """

    def __init__(
        self,
        *,
        keys: JWTKey | Sequence[JWTKey] | JWTKeys,
        issuer: str | Sequence[str] | None,
        audience: str | Sequence[str] | None,
        required: Sequence[str] = (),
        typ: str | None = None,
        leeway: Duration = 30,
        max_size: Size = "8kb",
        to_actor: Callable[[Claims], Actor | Awaitable[Actor | None] | None] | None = None,
        to_scope: Callable[[Claims], Scope | Awaitable[Scope | None] | None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = _source(keys)
        self._issuers = None if issuer is None else _texts("issuer", issuer)
        self._audiences = None if audience is None else _texts("audience", audience)
        always = {"exp"} if to_actor else {"exp", "sub"}
        self._required = always.union(_texts("required", required) if required else ())
        self._types = _USUAL_TYPES if typ is None else frozenset(_types(typ))
        self._leeway = parse_duration(leeway)
        if not 0 <= self._leeway <= _MAX_LEEWAY:
            _wrong(f"leeway must be 0 to {_MAX_LEEWAY:.0f} seconds, not {leeway!r}")
        self._max_size = parse_bytes(max_size)
        for option, function in (("to_actor", to_actor), ("to_scope", to_scope)):
            if function is not None and not callable(function):
                _wrong(f"{option} must be a function of the claims, not {function!r}")
        self._to_actor = _actor_of_sub if to_actor is None else to_actor
        self._to_scope = to_scope
        self._clock = clock

    async def validate(self, token: str) -> Grant | None:
        """Return what a token stands for; ``None`` if it is not valid, for whatever reason.

        Raises:
            StoreUnavailable: the keys cannot be had now.
            TypeError: ``to_actor`` or ``to_scope`` has answered something else than it should.

        Example::

            grant = await validator.validate(token)
        """
        try:
            claims = await self._claims(token)
        except Refused as refusal:
            _log.info("a JWT is refused: %a", str(refusal)[:300])
            return None
        try:
            actor: Any = self._to_actor(claims)
            if not isinstance(actor, Actor) and inspect.isawaitable(actor):
                actor = await actor
            scope: Any = None if self._to_scope is None else self._to_scope(claims)
            if scope is not None and inspect.isawaitable(scope):
                scope = await scope
        except (LookupError, TypeError, ValueError, RecursionError):  # the last one: claims as deep as JSON goes
            _log.warning("a JWT of %a is refused: its claims do not fit", str(claims.get("sub"))[:300], exc_info=True)
            return None
        if actor is None:
            return None
        if not isinstance(actor, Actor) or not isinstance(scope, Scope | None):
            msg = f"JWTValidator: to_actor and to_scope must answer an Actor and a Scope, not {actor!r} and {scope!r}"
            raise TypeError(msg)
        return Grant(actor, scope, float(claims["exp"]))

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > self._max_size:
            raise Refused("it is too long")
        parts = read_compact(token)
        if parts.typ not in self._types:
            raise Refused(f"it is a {parts.typ!r}")
        keys = await self._keys.find(parts.kid, parts.algorithm)
        if not any(key.algorithm == parts.algorithm and key.verifies(parts.signed, parts.signature) for key in keys):
            raise Refused(
                f"no key for {parts.algorithm!r}, kid {parts.kid!r}, has signed it"
                if keys
                else f"there is no key for {parts.algorithm!r}, kid {parts.kid!r}"
            )
        claims = read_object(parts.payload, "payload")
        self._check(claims)
        return claims

    def _check(self, claims: Claims) -> None:
        missing = [name for name in self._required if claims.get(name) is None]
        if missing:
            raise Refused(f"it says nothing of {', '.join(sorted(missing))}")
        for name in _TEXTS:
            if name in claims and (not isinstance(claims[name], str) or not claims[name]):
                raise Refused(f"its {name} is no text")
        for name in _TIMES:
            if name in claims and not _is_time(claims[name]):
                raise Refused(f"its {name} is no time")
        now = self._clock()
        if now >= claims["exp"] + self._leeway:
            raise Refused("it has ended")
        if now < max(claims.get("nbf", now), claims.get("iat", now)) - self._leeway:
            raise Refused("it has not begun")
        if self._issuers is not None and claims.get("iss") not in self._issuers:
            raise Refused(f"it is of the issuer {claims.get('iss')!r}")
        if self._audiences is not None and not self._audiences.intersection(_audiences(claims.get("aud"))):
            raise Refused(f"it is for {claims.get('aud')!r}")


class _StaticKeys:
    """Keys that are given."""

    def __init__(self, keys: Sequence[JWTKey]) -> None:
        self._keys = tuple(keys)

    async def find(self, kid: str | None, algorithm: str) -> Sequence[JWTKey]:
        return [key for key in self._keys if key.algorithm == algorithm and (kid is None or key.kid in (None, kid))]


def _source(keys: Any) -> JWTKeys:
    if isinstance(keys, JWTKey):
        return _StaticKeys([keys])
    if inspect.iscoroutinefunction(getattr(keys, "find", None)):
        source: JWTKeys = keys
        return source
    if not isinstance(keys, Sequence) or not keys or not all(isinstance(key, JWTKey) for key in keys):
        # By its type alone: it may be the secret.
        _wrong(f"keys must be a JWTKey, some of them, or a JWKS, not a {type(keys).__name__}")
    return _StaticKeys(keys)


def _actor_of_sub(claims: Claims) -> Actor:
    return Actor(claims["sub"], claims)


def _types(typ: Any) -> set[str]:
    if not isinstance(typ, str) or not typ:
        _wrong(f"typ must be text such as 'at+jwt', not {typ!r}")
    return {typ.lower().removeprefix("application/")}


def _texts(option: str, given: Any) -> frozenset[str]:
    texts = [given] if isinstance(given, str) else list(given)
    if not texts or not all(isinstance(text, str) and text for text in texts):
        _wrong(f"{option} must be text that is not empty, or some, not {given!r}")
    return frozenset(texts)


def _is_time(value: Any) -> bool:
    # Beyond 2**53 a float is no second any more; NaN and infinity are not below it. A bool is an int in Python.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53


def _audiences(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    return ()


def _wrong(words: str) -> NoReturn:
    msg = f"JWTValidator: {words}"
    raise ValueError(msg)

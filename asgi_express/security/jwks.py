"""The keys of an issuer, fetched from where it publishes them."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn

from asgi_express._units import parse_bytes, parse_duration
from asgi_express.security._fetch import Document, checked_url, fetch
from asgi_express.security.jwt_key import JWTKey
from asgi_express.stores import StoreUnavailable
from asgi_express.types import Duration, Size

__all__ = ["JWKS", "Document"]

_log = logging.getLogger("asgi_express.security")

_MAX_KEYS = 100

# When so much of its time is over, a set is fetched anew while requests go on with it.
_EARLY = 0.8


class JWKS:
    """The key set of an issuer, kept and renewed while tokens are checked with it.

    - The first token waits until the keys are there. From then on they are renewed before their time is over, without
      anybody waiting. However many ask at once, one fetch is under way.
    - A token that names a key that is not among them has them fetched anew, but not more often than ``cooldown``:
      made-up names cost the issuer nothing.
    - Where the issuer cannot be reached, the keys serve on for ``max_stale``, and attempts are made after 1, 2, 4 ...
      seconds, up to ``cooldown``. Afterwards tokens cannot be checked: ``StoreUnavailable``, a 503 for those refused.
    - A key that cannot be used (of another kind, too weak, private, for encryption) is left out; the log says why. Each
      key is for the one algorithm that it names. Secrets (``oct``) are never taken from the net.

    Fetching is asyncio only. It goes straight to the host: behind a proxy give ``fetch``.

    Args:
        url: of the set. It must be ``https``, and so must where it redirects to, on the same host.
        issuer: instead of ``url``: the set is the ``jwks_uri`` of ``{issuer}/.well-known/openid-configuration``.
        rsa_algorithm: what RSA keys are for that name no algorithm.
        ttl: how long keys are kept where ``Cache-Control: max-age`` does not say.
        min_ttl: how long they are kept at least, whatever it says.
        max_ttl: how long they are kept at most.
        max_stale: how long they serve beyond that where no new ones can be had.
        cooldown: the time between two fetches for keys that are not there.
        timeout: how long a fetch may take, all in all.
        max_size: of the set.
        insecure: whether ``http`` is admitted: whoever is on the way can then sign tokens.
        tls: which certificates are trusted; those of the system by default.
        fetch: fetches instead: an ``async`` function of a URL that returns a ``Document``, its body and ``max_age``.
        clock: seconds; must not go backwards.

    Raises:
        ImportError: PyJWT or cryptography is not installed.
        TypeError: a duration or a size is none.
        ValueError: an option is out of range, or a URL is not one of https.

    Examples::

        JWKS("https://login.example.com/.well-known/jwks.json")

        JWKS(issuer="https://login.example.com", ttl="1h", cooldown="1m")

    Sources: RFC 7517 section 5; OpenID Connect Discovery 1.0; GHSA-fhv5-28vv-h8m8 (a fetch for every unknown key),
    CVE-2026-48522 (other schemes).
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        issuer: str | None = None,
        rsa_algorithm: str = "RS256",
        ttl: Duration = "10m",
        min_ttl: Duration = "1m",
        max_ttl: Duration = "1d",
        max_stale: Duration = "1h",
        cooldown: Duration = 30,
        timeout: Duration = 5,
        max_size: Size = "256kb",
        insecure: bool = False,
        tls: ssl.SSLContext | None = None,
        fetch: Callable[[str], Awaitable[Document]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            from asgi_express.security import _jwt_material  # noqa: F401
        except ImportError as error:
            msg = "JWKS needs PyJWT and cryptography: pip install 'asgi-express[jwt]'"
            raise ImportError(msg) from error
        self._insecure = insecure
        self._issuer = issuer
        self._url = _address(url, issuer, insecure=insecure)
        if rsa_algorithm[:2] not in ("RS", "PS"):
            _wrong(f"rsa_algorithm must be one such as 'RS256' or 'PS256', not {rsa_algorithm!r}")
        self._rsa_algorithm = rsa_algorithm
        self._ttl, self._min_ttl, self._max_ttl = map(parse_duration, (ttl, min_ttl, max_ttl))
        if not 0 < self._min_ttl <= self._max_ttl:
            _wrong(f"min_ttl must be above 0 and not above max_ttl, not {min_ttl!r} and {max_ttl!r}")
        if not self._min_ttl <= self._ttl <= self._max_ttl:
            _wrong(f"ttl must be between min_ttl and max_ttl, not {ttl!r}")
        self._max_stale = _not_below_zero("max_stale", max_stale)
        self._cooldown = _not_below_zero("cooldown", cooldown)
        self._timeout = parse_duration(timeout)
        if self._timeout <= 0:
            _wrong(f"timeout must be above 0, not {timeout!r}")
        self._max_size = parse_bytes(max_size)
        # Reading the certificates of the system takes milliseconds: not while requests wait.
        self._tls = ssl.create_default_context() if tls is None and fetch is None else tls
        self._custom_fetch = fetch
        self._clock = clock
        self._keys: tuple[JWTKey, ...] = ()
        self._renew_at = self._fresh_until = self._attempted = self._retry_at = -math.inf
        self._failures = 0
        self._flight: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<JWKS {self._url}>"

    async def find(self, kid: str | None, algorithm: str) -> Sequence[JWTKey]:
        """Return the keys that may have signed a token.

        Args:
            kid: the key that the token names; ``None``: any.
            algorithm: only keys for this one are returned.

        Raises:
            StoreUnavailable: the keys cannot be had, or whether there is such a key cannot be known now.

        Example::

            keys = await jwks.find("2026-11", "ES256")
        """
        await self._renew()
        if not self._has(kid):
            await self._look_again()
        return [key for key in self._keys if key.algorithm == algorithm and (kid is None or key.kid in (None, kid))]

    def _has(self, kid: str | None) -> bool:
        return kid is None or any(key.kid in (None, kid) for key in self._keys)

    async def _renew(self) -> None:
        now = self._clock()
        if now < self._renew_at:
            return
        flight = self._under_way() or (self._start() if now >= self._retry_at else None)
        serving = now < self._fresh_until or (self._failures > 0 and now < self._fresh_until + self._max_stale)
        if flight is not None and not serving:
            await asyncio.shield(flight)  # whoever gives up waiting does not end it for the others
        if self._clock() >= self._fresh_until + self._max_stale:
            self._raise_unavailable()

    async def _look_again(self) -> None:
        now = self._clock()
        flight = self._under_way()
        if flight is None and now >= max(self._attempted + self._cooldown, self._retry_at):
            flight = self._start()
        if flight is not None:
            await asyncio.shield(flight)
        if self._failures:
            self._raise_unavailable()

    def _under_way(self) -> asyncio.Task[None] | None:
        flight = self._flight
        if flight is None or flight.done() or flight.get_loop() is not asyncio.get_running_loop():
            return None
        return flight

    def _start(self) -> asyncio.Task[None]:
        self._attempted = self._clock()
        self._flight = flight = asyncio.create_task(self._load(), name=f"fetch {self._url}")
        return flight

    async def _load(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                document = await self._document()
            keys = self._read(document.body)
        except Exception as error:  # a fetch of the user's raises what it likes, and nobody sees how this task ends
            self._failures += 1
            self._retry_at = self._clock() + min(self._cooldown, 2.0 ** min(self._failures - 1, 30))
            _log.warning("%s cannot be fetched (%d in a row): %a", self._url, self._failures, error)
            return
        now = self._clock()
        ttl = self._ttl if document.max_age is None else min(max(document.max_age, self._min_ttl), self._max_ttl)
        self._keys = keys
        self._fresh_until, self._renew_at = now + ttl, now + ttl * _EARLY
        self._failures, self._retry_at = 0, now

    async def _document(self) -> Document:
        url = self._url
        if self._issuer is not None:
            found = json.loads((await self._get(url)).body)
            if found["issuer"] != self._issuer:
                msg = f"{url} is about another issuer: {found['issuer']!r}"
                raise ValueError(msg)
            url = found["jwks_uri"]
            checked_url(url, insecure=self._insecure)
        return await self._get(url)

    async def _get(self, url: str) -> Document:
        if self._custom_fetch is not None:
            return await self._custom_fetch(url)
        return await fetch(url, max_size=self._max_size, tls=self._tls, insecure=self._insecure)

    def _read(self, body: bytes) -> tuple[JWTKey, ...]:
        listed = json.loads(body)["keys"]
        if len(listed) > _MAX_KEYS:
            msg = f"it has more than {_MAX_KEYS} keys"
            raise ValueError(msg)
        keys = []
        for jwk in listed:
            try:
                keys.append(self._key(jwk))
            except (TypeError, ValueError) as error:
                name = jwk.get("kid") if isinstance(jwk, dict) else None
                _log.warning("%s: the key %a is left out: %a", self._url, name, str(error)[:300])
        if not keys:
            msg = "there is no key in it that can be used"
            raise ValueError(msg)
        return tuple(keys)

    def _key(self, jwk: Any) -> JWTKey:
        if not isinstance(jwk, dict):
            msg = "it is not an object"
            raise TypeError(msg)
        if jwk.get("kty") == "oct":
            msg = "it is a secret, and everybody can read it"
            raise ValueError(msg)
        return JWTKey.from_jwk(jwk, rsa_algorithm=self._rsa_algorithm)

    def _raise_unavailable(self) -> NoReturn:
        msg = f"the keys of {self._url} cannot be had"
        raise StoreUnavailable(msg)


def _address(url: str | None, issuer: str | None, *, insecure: bool) -> str:
    if (url is None) == (issuer is None):
        _wrong("give either url or issuer")
    if issuer is not None:
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    try:
        checked_url(str(url), insecure=insecure)
    except ValueError as error:
        _wrong(str(error))
    return str(url)


def _not_below_zero(option: str, value: Duration) -> float:
    seconds = parse_duration(value)
    if seconds < 0:
        _wrong(f"{option} must not be below 0, not {value!r}")
    return seconds


def _wrong(words: str) -> NoReturn:
    msg = f"JWKS: {words}"
    raise ValueError(msg)

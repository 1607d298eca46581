"""The classic mistakes around a limit: many clients that count as one. The log is told once, with what to do.

What can be known when the app is put together is told then, all else at the first evidence.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator
from typing import Any

from asgi_express._scope import ACTOR, PEER
from asgi_express.middleware.real_ip import RealIP
from asgi_express.middleware.token_auth import TokenAuth
from asgi_express.types import ASGIApp, Scope

__all__ = ["FORGEABLE", "Watch", "check_order"]

FORGEABLE = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip")
"""Headers in which proxies tell the client's address. Whoever may write one may choose an address."""

_log = logging.getLogger("asgi_express.ratelimit")

_DEEPEST = 100
_CLIENTS = 10  # that were told of while only one was seen: enough to rule out chance
_LONGEST = 1000  # requests; looking is not free
_NOW_AND_THEN = 64  # requests
_REQUESTS = 100  # without any actor


def check_order(app: ASGIApp, keys: Iterable[str]) -> None:
    """Tell of middleware that finds out who the client is, but only after the limit was asked."""
    behind = list(_inside(app))
    wanted = set(keys)
    for kind, is_wanted in ((RealIP, bool(wanted - {"route"})), (TokenAuth, "actor" in wanted)):
        if is_wanted and any(isinstance(each, kind) for each in behind):
            _log.warning(
                "%s is inside of RateLimit and comes too late for it: put it outside "
                "(with add_middleware: add it after RateLimit; with use: before)",
                kind.__name__,
            )


def _inside(app: Any) -> Iterator[Any]:
    for _ in range(_DEEPEST):
        if app is None:
            return
        yield app
        app = getattr(app, "app", None)


class Watch:
    """Looks at the keys of requests until it is clear that clients are told apart, or that they are not.

    Attributes:
        is_comparing: whether addresses that are not near are still looked at.
    """

    __slots__ = ("_anonymous", "_away_at", "_clients", "_looked", "_near", "_only", "_told", "is_comparing")

    def __init__(self) -> None:
        self._told: set[str] = set()
        self.is_comparing = True
        self._only = ""  # the one key so far
        self._clients: set[bytes] = set()
        self._looked = self._near = self._anonymous = 0
        self._away_at = -math.inf

    def address(self, key: str, scope: Scope, *, is_near: bool) -> None:
        """Look at a key that is an address; ``is_near`` where that is private, or none."""
        if "address" in self._told:
            return
        if key == "ip=" and (PEER in scope or not _said(scope)):
            self._tell(
                "address",
                "requests have no address, as over a Unix socket: all clients share one limit; "
                "let the proxy send X-Forwarded-For, and put RealIP(trusted_subnets=['unix']) in front",
            )
        elif is_near and PEER not in scope and not _is_rewritten(scope):
            self._near += 1
            # After a while now and then, which spares the others 0.6 us.
            if (self._near < _LONGEST or self._near % _NOW_AND_THEN == 0) and _said(scope):
                self._tell(
                    "address",
                    "%r seems to be a proxy: without RealIP in front all clients share one limit",
                    key,
                )
        elif self.is_comparing:
            self._compare(key, scope)

    def _compare(self, key: str, scope: Scope) -> None:
        self._looked += 1
        if self._only not in ("", key) or self._looked > _LONGEST:
            self.is_comparing = False
            self._clients.clear()
            return
        self._only = key
        peer, client = scope.get(PEER), scope.get("client")
        if peer is None or tuple(peer) == tuple(client or ()):  # else RealIP has done its work
            self._clients |= _said(scope)
        if len(self._clients) >= _CLIENTS:
            self._tell(
                "address",
                "%r is the only address so far, of what proxies call %d clients: they share one limit; "
                "put RealIP in front, with this proxy in its trusted_subnets",
                key,
                _CLIENTS,
            )

    def route(self) -> None:
        """Take note of a request that was to be limited by its route and has none."""
        self._tell(
            "route",
            "key='route' before the match makes one limit for all routes: put RateLimit on routes, or into post_match",
        )

    def actor(self, scope: Scope) -> None:
        """Take note of a request that is limited by its actor."""
        if ACTOR in scope:
            self._told.add("actor")
        elif "actor" not in self._told:
            self._anonymous += 1
            if self._anonymous >= _REQUESTS:
                self._tell(
                    "actor",
                    "key='actor', and none of %d requests had one: without TokenAuth in front clients count by address",
                    _REQUESTS,
                )

    def away(self, error: Exception) -> None:
        """Tell that the store does not count, once a second: every request may find that out."""
        now = time.monotonic()
        if now - self._away_at >= 1.0:
            self._away_at = now
            _log.warning("limits cannot be counted in the store: %s", error)

    def _tell(self, what: str, message: str, *values: Any) -> None:
        if what not in self._told:
            self._told.add(what)
            _log.warning(message, *values)


def _is_rewritten(scope: Scope) -> bool:
    """Tell whether the server has put the client's address in place: uvicorn gives it the port 0 then."""
    client = scope.get("client")
    return bool(client and client[0] and client[1] == 0)


def _said(scope: Scope) -> set[bytes]:
    """Return what proxies tell of the client; of a list the end, which is the nearest proxy's word."""
    return {bytes(value).rpartition(b",")[2].strip() for name, value in scope["headers"] if name.lower() in FORGEABLE}

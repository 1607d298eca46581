"""How often a client may come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any, Literal, cast

from asgi_express._addresses import Trust, compile_trust
from asgi_express._flags import check_flags
from asgi_express._memo import Memo
from asgi_express._scope import next_app
from asgi_express.middleware._limit_answers import problem, too_many, unavailable
from asgi_express.middleware._limit_checks import Watch, check_order
from asgi_express.middleware._limit_homes import Charge, Home, MemoryHome, RedisHome, place_of
from asgi_express.middleware._limit_keys import Key, KeySpec, bounded, client_address, compile_key, key_names
from asgi_express.middleware._limit_usage import HEADERS, USAGE, Limit, RateLimitUsage, limit_headers
from asgi_express.middleware._limits import Concurrency
from asgi_express.stores import RedisStore, StoreUnavailable
from asgi_express.types import ASGIApp, Duration, Message, Receive, Scope, Send

__all__ = ["USAGE", "Limit", "RateLimit", "RateLimitUsage"]

_log = logging.getLogger("asgi_express.ratelimit")

_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_POLICY, _LATER = 1008, 1013

# Charges that are kept, and the characters of the longest key: 1 MiB.
_KEPT, _MAX_KEPT = 2048, 64


class RateLimit:
    """Answer 429 to clients that come too often; a WebSocket is refused, or closed.

    Reads what ``key`` names, by default the client's address: behind a proxy put ``RealIP`` in front. Writes
    ``scope["asgi_express.ratelimit"]`` (:class:`RateLimitUsage`) and the headers of ``headers``; a refusal has
    ``Retry-After``.

    - Several limits (``policies``) are decided in one step: a request that one of them refuses is charged to none.
    - A client that sends what ``key`` names not at all, or twice, counts by its address.
    - In memory every process counts for itself; a ``RedisStore`` counts for all of them, one round trip for a request.
    - A limit that is live is never dropped to make room: then new clients share one, until there is room.
    - Where it sees that all clients share one limit by mistake, behind a proxy say, the log is told once.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        requests: how many requests, or units of ``cost``, fit into ``window``.
        window: its length. With ``"concurrency"``: after how long a request in Redis counts no more, in case that its
            process died.
        burst: how many fit at once, with ``"token_bucket"``; 20 by default, or ``requests`` if that is less.
        algorithm: ``"token_bucket"`` (also called GCRA), ``"sliding_window"``, ``"fixed_window"``, or
            ``"concurrency"``: how many are under way at once.
        policies: several limits instead: :class:`Limit` objects or mappings of their options (``requests``,
            ``window``, ``burst``, ``algorithm``, ``name``, ``key``, ``cost``, ``on_store_failure``), each with a
            ``name`` of its own. Mappings take ``algorithm``, ``key``, ``cost`` and ``on_store_failure`` from here.
        name: of the limit, in headers and in Redis; two limits that have all of it in common count together there.
        key: whose limit it is: ``"ip"``, ``"header:NAME"``, ``"query:NAME"``, ``"cookie:NAME"``, ``"actor"``,
            ``"route"``, a function of the scope (sync or async; ``None`` for no limit), or a list of these.
        ipv6_prefix: so many bits of an IPv6 address are one client, 32 to 128.
        cost: units of a request, or a function of the scope (sync or async); 0 is free.
        skip: a function of the scope (sync or async): whether a request is neither limited nor counted.
        allow: addresses and networks that are neither limited nor counted.
        deny: addresses and networks that are answered 403.
        headers: ``"legacy"`` (``X-RateLimit-*``), ``"draft-6"``, ``"draft-8"`` (of the IETF), or ``None``.
        on_limited: an ASGI app that answers instead of the problem document. The headers are added to its answer.
        dry_run: whether to count and to log, and to let everything pass.
        messages: a limit (:class:`Limit` or mapping) for what a client sends over a WebSocket; the connection is closed
            with 1008. Its key is read at the handshake.
        store: a ``RedisStore``; ``None`` for memory.
        on_store_failure: where Redis does not answer: ``"local"`` counts in memory meanwhile, ``"open"`` lets pass,
            ``"closed"`` answers 503.
        max_entries: how many keys are held in memory.
        cleanup_interval: how often memory lets go of the keys whose limit is whole again; ``None``: only where there is
            no room for a new one.
        entry_ttl: how long it keeps these at least, as long as there is room.
        clock: seconds, for memory; must not go backwards.

    Raises:
        TypeError: an option is of a wrong type.
        ValueError: an option is out of range, or contradicts another. While answering: ``cost`` returned no integer of
            0 or more.

    Examples::

        app.use(RateLimit())

        app.use(
            RateLimit(
                policies=[
                    {"name": "second", "requests": 10, "window": "1s"},
                    {"name": "day", "requests": 5000, "window": "1d", "algorithm": "fixed_window"},
                ],
                key=["header:X-API-Key", "route"],
                headers="draft-8",
                store=RedisStore("redis://localhost"),
                on_store_failure="closed",
            )
        )
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        requests: int = 100,
        window: Duration = "1m",
        burst: int | None = None,
        algorithm: str = "token_bucket",
        policies: Sequence[Limit | Mapping[str, Any]] = (),
        name: str = "default",
        key: KeySpec = "ip",
        ipv6_prefix: int = 64,
        cost: int | Callable[[Scope], Any] = 1,
        skip: Callable[[Scope], Any] | None = None,
        allow: Sequence[str] = (),
        deny: Sequence[str] = (),
        headers: Literal["legacy", "draft-6", "draft-8"] | None = "legacy",
        on_limited: ASGIApp | None = None,
        dry_run: bool = False,
        messages: Limit | Mapping[str, Any] | None = None,
        store: RedisStore | None = None,
        on_store_failure: Literal["local", "open", "closed"] = "local",
        max_entries: int = 100_000,
        cleanup_interval: Duration | None = "5m",
        entry_ttl: Duration = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        common: dict[str, Any] = {
            "algorithm": algorithm,
            "key": key,
            "cost": cost,
            "on_store_failure": on_store_failure,
        }
        if not policies:
            limits = [Limit(requests, window, burst, name=name, **common)]
        elif (requests, window, burst, name) == (100, "1m", None, "default"):
            limits = _each(policies, common)
        else:
            msg = "RateLimit: requests, window, burst and name belong into each of the policies, or leave out policies"
            raise ValueError(msg)
        self._watch = watch = Watch()
        self._limits = [_Compiled(limit, ipv6_prefix, watch) for limit in limits]
        shared: dict[str, Any] = {"key": key, "on_store_failure": on_store_failure, "name": "messages"}
        self._messages = None if messages is None else _for_messages(_limit(messages, shared), ipv6_prefix, watch)
        check_order(app, {name for limit in limits for name in key_names(limit.key)})
        names = [limit.name for limit in (*self._limits, self._messages) if limit is not None]
        if len(set(names)) < len(names):
            msg = f"RateLimit: every limit needs a name of its own, not {names!r}"
            raise ValueError(msg)
        if headers is not None and headers not in HEADERS:
            msg = f"RateLimit: headers must be {', '.join(map(repr, HEADERS))} or None, not {headers!r}"
            raise ValueError(msg)
        for option, function in (("skip", skip), ("on_limited", on_limited)):
            if function is not None and not callable(function):
                msg = f"RateLimit: {option} must be callable, not {function!r}"
                raise ValueError(msg)
        if isinstance(max_entries, bool) or not isinstance(max_entries, int) or max_entries < len(names):
            msg = f"RateLimit: max_entries must be an integer of {len(names)} or more, not {max_entries!r}"
            raise ValueError(msg)
        check_flags("RateLimit", dry_run=dry_run)
        self._skip = skip
        self._allow, self._deny = _networks("allow", allow), _networks("deny", deny)
        self._frees_some = skip is not None or self._allow is not None
        self._counts_running = any(limit.rule.kind == Concurrency.kind for limit in self._limits)
        self._headers = headers
        self._on_limited = on_limited or too_many
        self._dry_run = dry_run
        self._local = MemoryHome(
            max_entries=max_entries, cleanup_interval=cleanup_interval, entry_ttl=entry_ttl, clock=clock
        )
        self._home: Home = self._local if store is None else _shared(store)
        # One limit, in memory, by what is known at once.
        is_simple = len(self._limits) == 1 and store is None and self._limits[0].is_simple
        self._only = self._limits[0] if is_simple else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or refuse it."""
        if scope["type"] not in ("http", "websocket") or (self._frees_some and await self._is_free(scope)):
            await self.app(scope, receive, send)
            return
        if self._deny is not None and self._deny(client_address(scope), 0):
            if not self._dry_run:
                await problem(scope, send, 403, {"title": "Forbidden"})
                return
            _log.warning("dry run: %a would have been shut out", client_address(scope))
        only = self._only
        usage = scope[USAGE] = await self._use(scope) if only is None else self._use_at_once(only, scope)
        try:
            if usage.limited and not self._dry_run:
                if usage.unavailable:
                    await unavailable(scope, send)
                else:
                    await self._on_limited(scope, receive, self._marking(usage, send))
            else:
                if usage.limited:
                    _log.warning("dry run: %s would have been refused for %d s", usage, usage.retry_after)
                send = self._marking(usage, send)
                if self._messages is not None and scope["type"] == "websocket":
                    receive, send = await self._guarded(self._messages, scope, receive, send)
                await self.app(scope, receive, send)
        finally:
            if self._counts_running:
                await usage.end()

    async def _guarded(self, messages: _Compiled, scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
        key = await messages.read(scope)
        if key is None:
            return receive, send
        guard = _MessageGuard(self, messages, key, receive, send)
        return guard.receive, guard.send

    async def _is_free(self, scope: Scope) -> bool:
        if self._allow is not None and self._allow(client_address(scope), 0):
            return True
        if self._skip is None:
            return False
        skipped = self._skip(scope)
        return bool(await skipped if isawaitable(skipped) else skipped)

    def _use_at_once(self, limit: _Compiled, scope: Scope) -> RateLimitUsage:
        """Charge a request where there is nothing to wait for: 3 us instead of 5."""
        key: Any = limit.key(scope)
        charge, place = limit.charges.get(key) or limit.charge(key)
        return RateLimitUsage((self._local.take_one(charge, place),), self._local)

    async def _use(self, scope: Scope) -> RateLimitUsage:
        charges: list[Charge] = []
        modes: list[str] = []
        for limit in self._limits:
            key = limit.key(scope)
            if key is not None and not isinstance(key, str):
                key = await key
            if key is None:
                continue
            cost = limit.cost if isinstance(limit.cost, int) else await _cost(limit.cost, scope)
            charges.append(Charge(limit.name, limit.rule, bounded(key), cost))
            modes.append(limit.on_store_failure)
        return await self.charge(charges, modes)

    async def charge(self, charges: Sequence[Charge], modes: Sequence[str]) -> RateLimitUsage:
        """Take charges, and where the store is away, do what their modes say. Not for programs."""
        if not charges:
            return RateLimitUsage((), self._local)
        try:
            return RateLimitUsage(await self._home.take(charges), self._home)
        except StoreUnavailable as error:
            self._watch.away(error)
        if "closed" in modes:
            return RateLimitUsage((), self._local, degraded=True, unavailable=True)
        local = [charge for charge, mode in zip(charges, modes, strict=True) if mode == "local"]
        return RateLimitUsage(await self._local.take(local), self._local, degraded=True)

    def _marking(self, usage: RateLimitUsage, send: Send) -> Send:
        """Return a ``send`` that adds the headers to the first message of an answer."""
        if self._dry_run:
            return send

        async def send_marked(message: Message) -> None:
            if message["type"] in _STARTS:
                pairs = list(message.get("headers", ()))
                more = limit_headers(self._headers, usage, pairs)
                if more:
                    message = {**message, "headers": pairs + more}
            await send(message)

        return send_marked

    async def allows_message(self, limit: _Compiled, key: str) -> RateLimitUsage:
        """Charge one message. Not for programs."""
        usage = await self.charge([Charge(limit.name, limit.rule, bounded(key), 1)], [limit.on_store_failure])
        if usage.limited and self._dry_run:
            _log.warning("dry run: %s would have closed a WebSocket", usage)
            return RateLimitUsage((), self._local)
        return usage


class _Compiled:
    """A limit as it is asked."""

    def __init__(self, limit: Limit, ipv6_prefix: int, watch: Watch) -> None:
        self.rule = limit.rule()
        self.name = limit.name
        self.key: Key = compile_key(limit.key, ipv6_prefix=ipv6_prefix, watch=watch)
        self.cost = limit.cost
        self.on_store_failure = limit.on_store_failure
        names = limit.key if isinstance(limit.key, list | tuple) else [limit.key]
        self.is_simple = isinstance(limit.cost, int) and all(isinstance(name, str) for name in names)
        self.charges: Memo[str, tuple[Charge, str]] = Memo(_KEPT)

    def charge(self, key: str) -> tuple[Charge, str]:
        """Return the charge for a key, and its place in memory, of a limit that is simple."""
        charge = Charge(self.name, self.rule, bounded(key), cast("int", self.cost))
        kept = charge, place_of(charge)
        return self.charges.keep(key, kept) if len(key) <= _MAX_KEPT else kept

    async def read(self, scope: Scope) -> str | None:
        key = self.key(scope)
        return key if key is None or isinstance(key, str) else await key


class _MessageGuard:
    """The two ends of a WebSocket whose client may send too much."""

    def __init__(self, owner: RateLimit, limit: _Compiled, key: str, receive: Receive, send: Send) -> None:
        self._owner, self._limit, self._key = owner, limit, key
        self._receive, self._send = receive, send
        self._closed: Message | None = None

    async def receive(self) -> Message:
        """Hand on a message; where it is one too many, close, and tell the app of the end."""
        if self._closed is not None:
            return self._closed
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        usage = await self._owner.allows_message(self._limit, self._key)
        if not usage.limited:
            return message
        code = _LATER if usage.unavailable else _POLICY
        self._closed = {"type": "websocket.disconnect", "code": code, "reason": "Too Many Messages"}
        await self._send({"type": "websocket.close", "code": code, "reason": "Too Many Messages"})
        return self._closed

    async def send(self, message: Message) -> None:
        """Hand on a message.

        Raises:
            OSError: the connection was closed here, as servers say it.
        """
        if self._closed is None:
            await self._send(message)
        elif message["type"] != "websocket.close":
            msg = "the WebSocket was closed: too many messages"
            raise OSError(msg)


def _each(policies: Sequence[Limit | Mapping[str, Any]], common: dict[str, Any]) -> list[Limit]:
    if not isinstance(policies, list | tuple):
        msg = f"RateLimit: policies must be a list of limits, not {policies!r}"
        raise TypeError(msg)
    return [_limit(policy, common) for policy in policies]


def _limit(given: Limit | Mapping[str, Any], common: dict[str, Any]) -> Limit:
    if isinstance(given, Limit):
        return given
    if isinstance(given, Mapping):
        return Limit(**{**common, **given})
    msg = f"RateLimit: a limit is a Limit or a mapping of its options, not {given!r}"
    raise TypeError(msg)


def _for_messages(limit: Limit, ipv6_prefix: int, watch: Watch) -> _Compiled:
    if limit.algorithm == Concurrency.kind:
        msg = "RateLimit: messages cannot have the algorithm 'concurrency': a message is over when it has come"
        raise ValueError(msg)
    if limit.cost != 1:
        msg = "RateLimit: every message counts 1; leave cost out of messages"
        raise ValueError(msg)
    return _Compiled(limit, ipv6_prefix, watch)


async def _cost(function: Callable[[Scope], Any], scope: Scope) -> int:
    cost = function(scope)
    if isawaitable(cost):
        cost = await cost
    if isinstance(cost, bool) or not isinstance(cost, int) or cost < 0:
        msg = f"RateLimit: cost must return an integer of 0 or more, not {cost!r}"
        raise ValueError(msg)
    return cost


def _networks(option: str, networks: Sequence[str]) -> Trust | None:
    if not isinstance(networks, list | tuple):
        msg = f"RateLimit: {option} must be a list of addresses and networks, not {networks!r}"
        raise TypeError(msg)
    try:
        return compile_trust(networks) if networks else None
    except ValueError as error:
        msg = f"RateLimit: {option}: {error}"
        raise ValueError(msg) from None


def _shared(store: Any) -> Home:
    if not callable(getattr(store, "execute", None)):
        msg = (
            "RateLimit: store must be a RedisStore, which decides in one step; "
            f"for memory leave it out (max_entries bounds it), not {type(store).__name__}"
        )
        raise TypeError(msg)
    return RedisHome(store)

"""One limit as it is configured, what a request has used of it, and the headers that tell the client."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from asgi_express._units import parse_duration
from asgi_express.middleware._limit_homes import Home, Taken
from asgi_express.middleware._limit_keys import KeySpec, shown
from asgi_express.middleware._limits import ALGORITHMS, WINDOWED, Concurrency, Rule, TokenBucket
from asgi_express.types import Duration, Scope

__all__ = ["HEADERS", "USAGE", "Limit", "RateLimitUsage", "limit_headers"]

USAGE = "asgi_express.ratelimit"
"""The scope key of the :class:`RateLimitUsage` of a request."""

HEADERS = ("legacy", "draft-6", "draft-8")

# What may stand in a quoted header value, in a log line and in a Redis key.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")

_BURST = 20
_MODES = ("local", "open", "closed")


@dataclass(frozen=True)
class Limit:
    """One limit of :class:`RateLimit`; the options are described there.

    Raises:
        TypeError: ``window`` is no duration.
        ValueError: an option is out of range, or contradicts another.
    """

    requests: int = 100
    window: Duration = "1m"
    burst: int | None = None
    algorithm: str = TokenBucket.kind
    name: str = "default"
    key: KeySpec = "ip"
    cost: int | Callable[[Scope], Any] = 1
    on_store_failure: str = "local"

    def __post_init__(self) -> None:
        """Check the options."""
        _positive("requests", self.requests)
        if self.algorithm not in ALGORITHMS:
            _refuse(f"algorithm must be {_either(ALGORITHMS)}, not {self.algorithm!r}")
        if parse_duration(self.window) < 0.001:
            _refuse(f"window must be a millisecond or more, not {self.window!r}")
        if self.burst is not None:
            _positive("burst", self.burst)
            if self.algorithm != TokenBucket.kind:
                _refuse(f"burst is for {TokenBucket.kind!r}, {self.algorithm!r} has none")
        if not isinstance(self.name, str) or not _NAME.match(self.name):
            _refuse(f"a name is up to 64 letters, digits, '_', '.' and '-', not {self.name!r}")
        if self.on_store_failure not in _MODES:
            _refuse(f"on_store_failure must be {_either(_MODES)}, not {self.on_store_failure!r}")
        self._check_cost()

    def _check_cost(self) -> None:
        if self.algorithm == Concurrency.kind and self.cost != 1:
            _refuse("with 'concurrency' every request counts 1; leave out cost")
        if callable(self.cost):
            return
        _positive("cost", self.cost)
        capacity = self.rule().capacity
        if self.cost > capacity:
            option = "burst" if self.algorithm == TokenBucket.kind else "requests"
            _refuse(f"no request could ever pass: it costs {self.cost}, and {option} is {capacity}")

    def rule(self) -> Rule:
        """Return what decides."""
        window = parse_duration(self.window)
        if self.algorithm == TokenBucket.kind:
            return TokenBucket(self.requests, window, self.burst or min(_BURST, self.requests))
        return WINDOWED[self.algorithm](self.requests, window)


class RateLimitUsage:
    """What a request has used: ``scope["asgi_express.ratelimit"]``.

    Attributes:
        limited: whether it was refused, or would have been without ``dry_run``.
        degraded: whether the store was away, so that ``on_store_failure`` decided.
        unavailable: whether it was refused because of that.
    """

    __slots__ = ("_held", "_home", "_taken", "degraded", "limited", "unavailable")

    def __init__(
        self, taken: Sequence[Taken], home: Home, *, degraded: bool = False, unavailable: bool = False
    ) -> None:
        self._taken = taken
        self._home = home
        self.degraded = degraded
        self.unavailable = unavailable
        self.limited = unavailable
        for each in taken:
            if not each.decision.allowed:
                self.limited = True
        # What can still be given back: nothing was taken where one limit refused.
        self._held: Sequence[Taken] = () if self.limited else taken

    def __repr__(self) -> str:
        keys = ", ".join(f"{each.charge.name} of {shown(each.charge.key)!r}" for each in self._taken)
        return f"<RateLimitUsage {keys}>"

    @property
    def taken(self) -> Sequence[Taken]:
        """Each limit that the request was asked for, with its decision."""
        return self._taken

    @property
    def remaining(self) -> int | None:
        """What is left of the limit that has least; ``None`` where no limit was asked."""
        return min((each.decision.remaining for each in self._taken), default=None)

    @property
    def retry_after(self) -> int:
        """Whole seconds until the same request fits; 0 where it did."""
        return math.ceil(max((each.decision.retry for each in self._taken), default=0.0))

    @property
    def violated(self) -> list[str]:
        """The names of the limits that refused."""
        return [each.charge.name for each in self._taken if not each.decision.allowed]

    async def refund(self) -> None:
        """Undo what the request was charged, once: for what shall not count, such as a login that was right.

        A window that is over stays as it was. ``concurrency`` counts on until the request is done.
        """
        await self._give_back([each for each in self._held if each.charge.rule.kind != Concurrency.kind])

    async def end(self) -> None:
        """Let go what counts only while the request is under way."""
        held = [each for each in self._held if each.charge.rule.kind == Concurrency.kind]
        if held:
            await self._give_back(held)

    async def _give_back(self, taken: list[Taken]) -> None:
        self._held = [each for each in self._held if each not in taken]
        costly = [each for each in taken if each.charge.cost]
        if costly:
            await self._home.give_back(costly)


_Pair: TypeAlias = tuple[bytes, bytes]

_LEGACY = (b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset")
_DRAFT = (b"ratelimit-limit", b"ratelimit-remaining", b"ratelimit-reset")


def limit_headers(
    generation: str | None, usage: RateLimitUsage, present: Sequence[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Return the headers for an answer that has others already.

    ``Retry-After`` comes with every refusal. Where a limit further in has told its numbers, those stay alone; the lists
    of ``draft-8`` are joined.
    """
    retry_after, taken = usage.retry_after if usage.limited else 0, usage.taken
    pairs = [(b"retry-after", b"%d" % retry_after)] if retry_after else []
    if generation is None or not taken:
        return pairs
    if generation == "draft-8":
        return [*pairs, *_draft_8(taken)]
    tightest = taken[0] if len(taken) == 1 else min(taken, key=_tightness)
    rule, decision = tightest.charge.rule, tightest.decision
    (limit, remaining, reset), quota, window = _constant(generation, rule.requests, rule.window)
    for name, _ in present:
        if name.lower() == limit:
            return pairs
    full, retry = decision.full, decision.retry
    pairs += (
        quota,
        (remaining, b"%d" % decision.remaining),
        (reset, b"%d" % math.ceil(full if full > retry else retry)),
        window,
    )
    return pairs


@lru_cache(maxsize=256)
def _constant(generation: str, requests: int, window: float) -> tuple[tuple[bytes, ...], _Pair, _Pair]:
    """Return what every answer of a limit says: the names of its headers, the first and the last of them."""
    names = _LEGACY if generation == "legacy" else _DRAFT
    seconds = math.ceil(window)
    last = (b"x-ratelimit-window", b"%d" % seconds)
    if generation != "legacy":
        last = (b"ratelimit-policy", b"%d;w=%d" % (requests, seconds))
    return names, (names[0], b"%d" % requests), last


def _tightness(taken: Taken) -> tuple[bool, float, int]:
    return taken.decision.allowed, -taken.decision.retry, taken.decision.remaining


def _draft_8(taken: Sequence[Taken]) -> list[tuple[bytes, bytes]]:
    policies, states = [], []
    for each in taken:
        rule, decision = each.charge.rule, each.decision
        unit = ';qu="concurrent-requests"' if rule.kind == Concurrency.kind else f";w={math.ceil(rule.window)}"
        policies.append(f'"{each.charge.name}";q={rule.requests}{unit}')
        states.append(f'"{each.charge.name}";r={decision.remaining};t={math.ceil(decision.more)}')
    return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(states).encode())]


def _positive(option: str, number: Any) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        _refuse(f"{option} must be an integer of 1 or more, not {number!r}")


def _either(words: Any) -> str:
    return ", ".join(map(repr, words))


def _refuse(words: str) -> None:
    msg = f"RateLimit: {words}"
    raise ValueError(msg)

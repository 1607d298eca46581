"""Where the states of limits are kept: in this process, or in Redis for many."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b, sha1
from heapq import heappop, heappush
from typing import Any, NamedTuple, Protocol

from asgi_express._units import parse_duration
from asgi_express.middleware._limit_scripts import GIVE_BACK, TAKE
from asgi_express.middleware._limits import SLOTS, Concurrency, Decision, Rule, Step, TokenBucket
from asgi_express.stores import RedisStore, StoreUnavailable
from asgi_express.types import Duration

__all__ = ["Charge", "Home", "MemoryHome", "RedisHome", "Taken", "place_of"]

_log = logging.getLogger("asgi_express.ratelimit")

# Keys that are looked at for one that is new: 1 ms. All of 100,000 that expire together would take 200.
_AT_ONCE = 500

# And with each request of a sweep, for which nobody needs to wait.
_SWEPT = 50

_NEVER = float("inf")


class Charge(NamedTuple):
    """A cost that one request is to be charged with.

    Attributes:
        name: of the limit.
        rule: what decides.
        key: whose limit it is.
        cost: in units; 0 asks and takes nothing.
    """

    name: str
    rule: Rule
    key: str
    cost: int


class Taken(NamedTuple):
    """What became of a charge, and all that it takes to give it back.

    Attributes:
        charge: as it was given.
        decision: about it. Where another charge of the same request did not fit, nothing was taken.
        place: where it is kept.
        lease: what tells it from the others there.
    """

    charge: Charge
    decision: Decision
    place: str
    lease: str = ""


def place_of(charge: Charge) -> str:
    """Return where a charge is counted in memory, as long as there is room."""
    return f"{charge.name}\n{charge.key}"


class Home(Protocol):
    """Takes all charges of a request, or, where one does not fit, none."""

    async def take(self, charges: Sequence[Charge]) -> list[Taken]:
        """Decide about the charges, in one step that nothing comes between."""
        ...

    async def give_back(self, taken: Sequence[Taken]) -> None:
        """Undo charges that were taken."""
        ...


class MemoryHome:
    """Keep states in this process, ``max_entries`` of them and one more for each limit.

    What has expired goes when there is no room for a new key, and in sweeps, a few keys with each request. What has not
    is never pushed out: whoever could do that by coming with many keys would be free of his limit. When there is no
    room, new keys share one state for each limit.

    Args:
        max_entries: how many keys there may be.
        cleanup_interval: the time from one sweep to the next; ``None`` for none.
        entry_ttl: how long a sweep leaves what has expired where it is.
        clock: seconds; must not go backwards.

    Raises:
        ValueError: one of the times is none.
    """

    def __init__(
        self,
        *,
        max_entries: int,
        cleanup_interval: Duration | None = None,
        entry_ttl: Duration = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._kept: dict[str, tuple[Any, float]] = {}
        # When each key may expire, earliest first; one entry for each key that can. Who lives longer is queued again.
        self._queue: list[tuple[float, str]] = []
        self._overflowing = False
        self._interval = _NEVER if cleanup_interval is None else parse_duration(cleanup_interval)
        if self._interval <= 0:
            msg = f"RateLimit: cleanup_interval must be above 0, or None, not {cleanup_interval!r}"
            raise ValueError(msg)
        self._ttl = parse_duration(entry_ttl)
        if self._ttl < 0:
            msg = f"RateLimit: entry_ttl must be 0 or more, not {entry_ttl!r}"
            raise ValueError(msg)
        self._sweep_at = clock() + self._interval

    def __len__(self) -> int:
        """Return how many states are held, those included that have expired and not left yet."""
        return len(self._kept)

    async def take(self, charges: Sequence[Charge]) -> list[Taken]:
        """Decide about the charges."""
        if len(charges) == 1:
            return [self.take_one(charges[0], place_of(charges[0]))]
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        places = [self._place(charge, now, len(charges)) for charge in charges]
        steps = [self._decide(charge, place, now) for charge, place in zip(charges, places, strict=True)]
        if all(step.decision.allowed for step in steps):
            for charge, place, step in zip(charges, places, steps, strict=True):
                if charge.cost:
                    self._keep(place, step)
        else:
            for index, (charge, place, step) in enumerate(zip(charges, places, steps, strict=True)):
                if step.decision.allowed:  # and yet not taken
                    steps[index] = self._decide(charge._replace(cost=0), place, now)
        return [Taken(*each) for each in zip(charges, [step.decision for step in steps], places, strict=True)]

    def take_one(self, charge: Charge, place: str) -> Taken:
        """Decide about one charge, which is nearly always all that there is, without waiting.

        Args:
            charge: the charge.
            place: its place, as ``place_of`` says.
        """
        now, cost = self._clock(), charge.cost
        if now >= self._sweep_at:
            self._sweep(now)
        kept = self._kept.get(place)
        if kept is None:
            place = self._place(charge, now, 1)
            kept = self._kept.get(place)
        decision, state, expires = charge.rule.decide(None if kept is None else kept[0], cost, now)
        if cost and decision.allowed:
            if kept is None and expires < _NEVER:
                heappush(self._queue, (expires, place))
            self._kept[place] = state, expires
        return Taken(charge, decision, place)

    async def give_back(self, taken: Sequence[Taken]) -> None:
        """Undo charges."""
        for charge, decision, place, _ in taken:
            kept = self._kept.get(place)
            if kept is None or kept[0] is None:
                continue
            state, expires = kept
            state = charge.rule.refund(state, decision.stamp, charge.cost)
            if state is not None:
                self._kept[place] = (state, expires)
            elif charge.rule.kind == Concurrency.kind:
                del self._kept[place]  # it is not queued: it cannot expire
            else:
                self._kept[place] = (None, expires)

    def _place(self, charge: Charge, now: float, wanted: int) -> str:
        place = place_of(charge)
        if place in self._kept or len(self._kept) + wanted <= self._max_entries:
            return place
        self._purge(now)
        if len(self._kept) + wanted <= self._max_entries:
            self._overflowing = False
            return place
        if not self._overflowing:
            self._overflowing = True
            _log.warning(
                "%d limits are live, which is max_entries: new clients share one limit until there is room",
                self._max_entries,
            )
        return f"{charge.name}\n"

    def _decide(self, charge: Charge, place: str, now: float) -> Step:
        kept = self._kept.get(place)
        return charge.rule.decide(None if kept is None else kept[0], charge.cost, now)

    def _keep(self, place: str, step: Step) -> None:
        if place not in self._kept and step.expires < _NEVER:
            heappush(self._queue, (step.expires, place))
        self._kept[place] = (step.state, step.expires)

    def _sweep(self, now: float) -> None:
        """Let go some of what has expired for long enough; the next request goes on, until there is no more."""
        until = now - self._ttl
        self._purge(until, _SWEPT)
        if not self._queue or self._queue[0][0] > until:
            self._sweep_at = now + self._interval

    def _purge(self, now: float, most: int = _AT_ONCE) -> None:
        """Let go what has expired, so much of it that nobody waits: O(log n) for each key."""
        for _ in range(most):
            if not self._queue or self._queue[0][0] > now:
                return
            _, place = heappop(self._queue)
            expires = self._kept[place][1]
            if expires <= now:
                del self._kept[place]
            else:
                heappush(self._queue, (expires, place))


class RedisHome:
    """Keep states in Redis: one script, so one step and one round trip, for all limits of a request.

    The time is that of Redis. Every key expires by itself.

    Args:
        store: whose connections, deadline, breaker and prefix are used.
        clock: seconds, instead of the time of Redis.
    """

    def __init__(self, store: RedisStore, *, clock: Callable[[], float] | None = None) -> None:
        self._execute = store.execute
        self._prefix = f"{getattr(store, 'prefix', '')}ratelimit:"
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, charges: Sequence[Charge]) -> list[Taken]:
        """Decide about the charges.

        Raises:
            StoreUnavailable: Redis did not answer in time, or refused.
        """
        lease = secrets.token_hex(8)
        places = [self._place(charge) for charge in charges]
        now = "" if self._clock is None else repr(self._clock() * 1e6)
        arguments: list[str | int | float] = [now, lease]
        for _, rule, _, cost in charges:
            arguments += [rule.kind, rule.capacity, _pace(rule), repr(rule.window * 1e6), cost]
        replies = await self._run(TAKE, places, arguments)
        return [
            Taken(charge, _decision(reply), place, lease)
            for charge, reply, place in zip(charges, replies, places, strict=True)
        ]

    async def give_back(self, taken: Sequence[Taken]) -> None:
        """Undo charges. Where Redis is away they stay taken until they expire.

        It goes on by itself where the caller is cancelled: what is not given back, somebody has to wait for.
        """
        task = asyncio.get_running_loop().create_task(self._give_back(taken))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _give_back(self, taken: Sequence[Taken]) -> None:
        arguments: list[str | int | float] = []
        for charge, decision, _, lease in taken:
            arguments += [charge.rule.kind, repr(decision.stamp), charge.cost, lease, _pace(charge.rule)]
        try:
            await self._run(GIVE_BACK, [each.place for each in taken], arguments)
        except StoreUnavailable as error:
            _log.warning("a limit cannot be given back: %s", error)

    def _place(self, charge: Charge) -> str:
        # A rule that was changed begins anew. Keys are hashed: they may be secrets.
        name, rule, key, _ = charge
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return f"{self._prefix}{name}:{rule.kind}:{rule.requests}:{rule.capacity}:{rule.window:g}:{digest}"

    async def _run(self, script: str, keys: list[str], arguments: list[str | int | float]) -> Any:
        run = partial(self._execute, idempotent=False)
        try:
            return await run("EVALSHA", _sha1(script), len(keys), *keys, *arguments)
        except StoreUnavailable as error:
            if not str(error.__cause__).startswith(("NOSCRIPT", "No matching script")):
                raise
        return await run("EVAL", script, len(keys), *keys, *arguments)


def _sha1(script: str) -> str:
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


def _pace(rule: Rule) -> str:
    """Return the µs after which a unit is back, or that a slot is long."""
    parts = rule.requests if rule.kind == TokenBucket.kind else SLOTS
    return repr(rule.window * 1e6 / parts)


def _decision(reply: list[Any]) -> Decision:
    allowed, remaining, more, full, retry = (int(number) for number in reply[:5])
    return Decision(bool(allowed), remaining, more / 1e6, full / 1e6, retry / 1e6, float(reply[5]))

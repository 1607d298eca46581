"""What a limit decides: pure functions of a state, a cost and a time in seconds.

A state is a small immutable value, ``None`` for a key that nothing is known of. ``decide`` changes nothing: it returns
the state that is to be kept if the cost is taken, so that several limits are asked before any of them is charged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

__all__ = [
    "ALGORITHMS",
    "SLOTS",
    "WINDOWED",
    "Concurrency",
    "Decision",
    "FixedWindow",
    "Rule",
    "SlidingWindow",
    "Step",
    "TokenBucket",
]

SLOTS = 32
"""A sliding window moves in steps of this part of it."""

GRAIN = 1e-6
"""Units; what is left of them when floats are added up is nothing."""

_BUSY = 1.0  # seconds; nobody knows when a request that is under way will be done


class Decision(NamedTuple):
    """What became of one cost.

    Attributes:
        allowed: whether it fits.
        remaining: whole units that are left.
        more: seconds until there is more than that; 0 where nothing is used.
        full: seconds until everything is back, if nothing else comes.
        retry: seconds until the same cost fits; 0 where it did. A cost that never fits is told the window.
        stamp: what a refund has to bring, so that it never counts in a later window.
    """

    allowed: bool
    remaining: int
    more: float
    full: float
    retry: float
    stamp: float


class Step(NamedTuple):
    """A decision, the state to keep if the cost is taken, and when that state says nothing any more."""

    decision: Decision
    state: Any
    expires: float


class Rule(Protocol):
    """One limit.

    Attributes:
        kind: the name of the algorithm.
        requests: the quota.
        window: of the quota, in seconds.
        capacity: what fits at once.
    """

    kind: str
    requests: int
    window: float
    capacity: int

    def decide(self, state: Any, cost: int, now: float, /) -> Step:
        """Say whether a cost fits."""
        ...

    def refund(self, state: Any, stamp: float, cost: int, /) -> Any:
        """Return the state without a cost that was taken; ``None`` where nothing is left of it."""
        ...


class TokenBucket:
    """GCRA: a level that a request raises by its cost and that falls all the time, by ``requests`` in each window.

    It is the token bucket counted from the other side. The level is kept in units, not in seconds: while no time
    passes, the sums are exact.
    """

    kind = "token_bucket"

    def __init__(self, requests: int, window: float, burst: int) -> None:
        self.requests = requests
        self.window = window
        self.capacity = burst
        self.interval = window / requests

    def decide(self, state: tuple[float, float] | None, cost: int, now: float) -> Step:
        """Say whether a cost fits."""
        # Comparisons rather than min, max and floor, which would take a third of its time.
        capacity, interval = self.capacity, self.interval
        level = 0.0
        if state is not None:
            level, at = state
            if now > at:  # a clock that went backwards makes nothing fall, and nothing rise
                level -= (now - at) / interval
                if level < 0.0:
                    level = 0.0
        retry = 0.0
        allowed = level + cost <= capacity + GRAIN
        if allowed:
            level += cost
        else:
            retry = self.window if cost > capacity else (level + cost - capacity) * interval
        room = capacity - level
        remaining = int(room + GRAIN) if room > 0.0 else 0
        full = level * interval
        over = remaining + 1 - room
        more = (level if level < over else over) * interval
        return Step(Decision(allowed, remaining, more, full, retry, now), (level, now), now + full)

    def refund(self, state: tuple[float, float], stamp: float, cost: int) -> tuple[float, float] | None:
        """Lower the level, but for what has fallen since: nobody else's units are given back."""
        level, at = state
        level -= max(0.0, cost - max(0.0, at - stamp) / self.interval)
        return (level, at) if level > GRAIN else None


class FixedWindow:
    """A count that begins with the first request and is forgotten a window later."""

    kind = "fixed_window"

    def __init__(self, requests: int, window: float) -> None:
        self.requests = self.capacity = requests
        self.window = window

    def decide(self, state: tuple[float, int] | None, cost: int, now: float) -> Step:
        """Say whether a cost fits."""
        start, used = state or (now, 0)
        if not 0 <= now - start < self.window:
            start, used = now, 0
        left = start + self.window - now
        retry = 0.0
        allowed = used + cost <= self.requests
        if allowed:
            used += cost
        else:
            retry = self.window if cost > self.requests else left
        back = left if used else 0.0
        decision = Decision(allowed, self.requests - used, back, back, retry, start)
        return Step(decision, (start, used), start + self.window)

    def refund(self, state: tuple[float, int], stamp: float, cost: int) -> tuple[float, int] | None:
        """Lower the count, if it is still that of the same window."""
        start, used = state
        if start != stamp:
            return state
        return (start, used - cost) if used > cost else None


class SlidingWindow:
    """Counts in slots of a 32nd of the window; a slot counts until all of it is older than the window.

    In no stretch of time as long as the window more than ``requests`` pass; what they used comes back up to a 32nd of
    the window late. At most 33 counts are kept, whatever ``requests`` is.
    """

    kind = "sliding_window"

    def __init__(self, requests: int, window: float) -> None:
        self.requests = self.capacity = requests
        self.window = window
        self._step = window / SLOTS

    def decide(self, state: tuple[tuple[int, int], ...] | None, cost: int, now: float) -> Step:
        """Say whether a cost fits."""
        slot = math.floor(now / self._step)
        live = tuple(pair for pair in state or () if pair[0] >= slot - SLOTS)
        used = sum(count for _, count in live)
        retry = 0.0
        allowed = used + cost <= self.requests
        if not allowed:
            retry = self._retry(live, used + cost - self.requests, now)
        elif cost:
            used += cost
            if live and live[-1][0] >= slot:  # a clock that went backwards counts where it was
                slot = live[-1][0]
                live = (*live[:-1], (slot, live[-1][1] + cost))
            else:
                live = (*live, (slot, cost))
        more = full = 0.0
        if live:
            more, full = self._leaves(live[0][0]) - now, self._leaves(live[-1][0]) - now
        return Step(Decision(allowed, self.requests - used, more, full, retry, slot), live, now + full)

    def refund(self, state: tuple[tuple[int, int], ...], stamp: float, cost: int) -> tuple[tuple[int, int], ...] | None:
        """Lower the count of the slot that the cost was counted in."""
        counts = ((slot, count - cost if slot == stamp else count) for slot, count in state)
        return tuple(pair for pair in counts if pair[1] > 0) or None

    def _leaves(self, slot: int) -> float:
        """Return when a slot counts no more."""
        return (slot + SLOTS + 1) * self._step

    def _retry(self, live: tuple[tuple[int, int], ...], excess: int, now: float) -> float:
        for slot, count in live:
            excess -= count
            if excess <= 0:
                return self._leaves(slot) - now
        return self.window


class Concurrency:
    """How many are under way at once. What was taken comes back with ``refund``.

    Args:
        requests: at once.
        window: seconds until one that nobody gave back, because its process died, counts no more. It is for homes
            outside of the process; here nothing is lost.
    """

    kind = "concurrency"

    def __init__(self, requests: int, window: float) -> None:
        self.requests = self.capacity = requests
        self.window = window

    def decide(self, state: int | None, cost: int, _now: float) -> Step:
        """Say whether one more fits."""
        used = state or 0
        allowed = used + cost <= self.requests
        if allowed:
            used += cost
        busy = 0.0 if used < self.requests else _BUSY
        decision = Decision(allowed, self.requests - used, busy, busy, 0.0 if allowed else _BUSY, 0.0)
        return Step(decision, used, math.inf)

    def refund(self, state: int, _stamp: float, cost: int) -> int | None:
        """Let one go."""
        return state - cost if state > cost else None


WINDOWED: dict[str, Callable[[int, float], Rule]] = {
    SlidingWindow.kind: SlidingWindow,
    FixedWindow.kind: FixedWindow,
    Concurrency.kind: Concurrency,
}
"""What is made of ``requests`` and ``window`` alone."""

ALGORITHMS = (TokenBucket.kind, *WINDOWED)

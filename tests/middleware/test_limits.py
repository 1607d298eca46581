"""The algorithms: what they admit, what they tell, what comes back."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express.middleware._limits import (
    GRAIN,
    SLOTS,
    Concurrency,
    Decision,
    FixedWindow,
    Rule,
    SlidingWindow,
    Step,
    TokenBucket,
)


class Driver:
    """One key of a rule, and a clock."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.state: Any = None
        self.now = 1000.0
        self.last: Step | None = None

    def ask(self, cost: int = 1) -> bool:
        step = self.last = self.rule.decide(self.state, cost, self.now)
        if step.decision.allowed:
            self.state = step.state
        return step.decision.allowed

    def told(self) -> tuple[int, float, float, float]:
        assert self.last is not None
        decision = self.last.decision
        return decision.remaining, round(decision.more, 3), round(decision.full, 3), round(decision.retry, 3)


RULES: dict[str, Rule] = {
    "token bucket": TokenBucket(10, 64.0, 10),
    "sliding window": SlidingWindow(10, 64.0),
    "fixed window": FixedWindow(10, 64.0),
    "concurrency": Concurrency(10, 64.0),
}
EACH = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
TIMED = pytest.mark.parametrize("rule", list(RULES.values())[:3], ids=list(RULES)[:3])


@EACH
def test_at_once_exactly_the_limit_passes(rule: Rule) -> None:
    driver = Driver(rule)
    assert [driver.ask() for _ in range(12)] == [True] * 10 + [False] * 2


@EACH
def test_a_refusal_costs_nothing(rule: Rule) -> None:
    driver = Driver(rule)
    assert [driver.ask(cost) for cost in (8, 3, 2, 1, 0)] == [True, False, True, False, True]


@TIMED
def test_who_waits_as_long_as_he_was_told_passes(rule: Rule) -> None:
    chance = random.Random(1)
    for _ in range(300):
        driver = Driver(rule)
        for _ in range(chance.randrange(30)):
            driver.ask(chance.randrange(1, 4))
            driver.now += chance.random() * 8
        cost = chance.randrange(1, 11)
        if not driver.ask(cost):
            assert driver.last is not None
            driver.now += driver.last.decision.retry + 1e-6
            assert driver.ask(cost)


@TIMED
def test_after_the_time_that_was_told_everything_is_back(rule: Rule) -> None:
    driver = Driver(rule)
    for _ in range(25):
        driver.ask()
        driver.now += 3
    driver.ask(0)
    assert driver.last is not None
    driver.now += driver.last.decision.full + 1e-6
    assert driver.ask(10)


@TIMED
def test_a_cost_that_never_fits_is_told_the_window(rule: Rule) -> None:
    driver = Driver(rule)
    driver.ask(4)
    assert not driver.ask(11)
    assert driver.told()[3] == 64


@EACH
def test_nothing_used_is_nothing_to_wait_for(rule: Rule) -> None:
    driver = Driver(rule)
    assert driver.ask(0)
    assert driver.told() == (10, 0, 0, 0)


TOLD = {
    "token bucket": [(6, 6.4, 25.6, 0), (6, 3.2, 22.4, 0), (0, 3.2, 60.8, 0), (0, 3.2, 60.8, 3.2)],
    "sliding window": [(6, 66, 66, 0), (6, 62.8, 62.8, 0), (0, 62.8, 64.8, 0), (0, 62.8, 64.8, 62.8)],
    "fixed window": [(6, 64, 64, 0), (6, 60.8, 60.8, 0), (0, 60.8, 60.8, 0), (0, 60.8, 60.8, 60.8)],
}


@pytest.mark.parametrize("name", TOLD)
def test_it_tells_what_is_left_and_when_more_comes(name: str) -> None:
    driver = Driver(RULES[name])
    told = []
    for cost, wait in ((4, 3.2), (0, 0.0), (6, 0.0), (1, 0.0)):
        driver.ask(cost)
        told.append(driver.told())
        driver.now += wait
    assert told == TOLD[name]


def test_a_sliding_window_never_admits_more_in_any_stretch_as_long() -> None:
    chance = random.Random(2)
    driver = Driver(SlidingWindow(10, 64.0))
    passed: list[float] = []
    for _ in range(4000):
        driver.now += chance.choice((0.0, 0.1, 1.0, 7.0, 31.0))
        if driver.ask():
            passed.append(driver.now)
        assert len(driver.state) <= SLOTS + 1
    assert max(sum(1 for each in passed if start <= each < start + 64) for start in passed) == 10


def test_what_a_sliding_window_holds_comes_back_at_most_a_slot_late() -> None:
    driver = Driver(SlidingWindow(10, 64.0))
    driver.now = 1001.5
    assert driver.ask(10)
    driver.now += 64 + 64 / SLOTS
    assert driver.ask(10)


def test_a_token_bucket_admits_its_burst_and_then_its_pace() -> None:
    driver = Driver(TokenBucket(100, 60.0, 20))
    assert sum(driver.ask() for _ in range(50)) == 20
    passed = 0
    for _ in range(6000):
        driver.now += 0.01
        passed += driver.ask()
    assert passed == 100


def test_a_fixed_window_begins_with_the_first_request() -> None:
    driver = Driver(FixedWindow(2, 10.0))
    assert [driver.ask() for _ in range(3)] == [True, True, False]
    driver.now += 9.99
    assert not driver.ask()
    driver.now += 0.02
    assert driver.ask()


@TIMED
def test_a_clock_that_goes_backwards_gives_nothing_away_and_locks_nobody_out(rule: Rule) -> None:
    driver = Driver(rule)
    driver.ask(5)
    driver.now -= 500
    driver.ask(2)
    assert driver.told()[0] <= 8
    driver.now += 700
    assert driver.ask(10)


@EACH
def test_a_refund_gives_back_what_was_taken(rule: Rule) -> None:
    driver = Driver(rule)
    driver.ask(3)
    assert driver.last is not None
    first = driver.last.decision.stamp
    driver.now += 0.5
    driver.ask(7)
    driver.state = rule.refund(driver.state, first, 3)
    assert [driver.ask(3), driver.ask()] == [True, False]


@EACH
def test_nothing_is_kept_of_what_was_given_back_whole(rule: Rule) -> None:
    driver = Driver(rule)
    driver.ask(3)
    assert driver.last is not None
    assert rule.refund(driver.state, driver.last.decision.stamp, 3) is None


@pytest.mark.parametrize("name", TOLD)
def test_a_refund_never_counts_in_a_later_window(name: str) -> None:
    driver = Driver(RULES[name])
    driver.ask(5)
    assert driver.last is not None
    stamp = driver.last.decision.stamp
    driver.now += 200
    driver.ask(10)
    driver.state = driver.rule.refund(driver.state, stamp, 5)
    assert not driver.ask()


def test_what_is_under_way_does_not_expire() -> None:
    driver = Driver(Concurrency(1, 10.0))
    driver.ask()
    driver.now += 1e6
    assert not driver.ask()
    assert driver.told() == (0, 1, 1, 1)
    assert driver.last is not None
    assert driver.last.expires == math.inf


def gcra(rule: TokenBucket, state: tuple[float, float] | None, cost: int, now: float) -> Step:
    """Decide as the bucket does, in the words of mathematics."""
    level, at = state or (0.0, now)
    level = max(0.0, level - max(0.0, now - at) / rule.interval)
    allowed = level + cost <= rule.capacity + GRAIN
    retry = 0.0 if allowed else rule.window if cost > rule.capacity else (level + cost - rule.capacity) * rule.interval
    level += cost if allowed else 0
    room = rule.capacity - level
    remaining = max(0, math.floor(room + GRAIN))
    full, more = level * rule.interval, min(level, remaining + 1 - room) * rule.interval
    return Step(Decision(allowed, remaining, more, full, retry, now), (level, now), now + full)


@given(
    st.integers(1, 1000),
    st.sampled_from([0.001, 1.0, 60.0, 86400.0]),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(-1, 5) | st.just(0.0), st.integers(0, 120)), max_size=40),
)
def test_the_bucket_is_what_its_mathematics_say(requests: int, window: float, burst: int, asked: Any) -> None:
    rule = TokenBucket(requests, window, burst)
    state, now = None, 1000.0
    for wait, cost in asked:
        now += wait
        step = rule.decide(state, cost, now)
        assert step == gcra(rule, state, cost, now)
        state = step.state

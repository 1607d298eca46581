"""The circuit breaker, with a clock by hand."""

from __future__ import annotations

import pytest

from asgi_express.stores._breaker import Breaker

# What happens at which second, and whether a call may go (or what the note returns).
STORIES = {
    "a success forgets the failures": [
        (0, "failed", False),
        (0, "failed", False),
        (0, "succeeded", False),
        (0, "failed", False),
        (0, "failed", False),
        (0, "allow", True),
    ],
    "the third failure opens it": [
        (0, "failed", False),
        (0, "failed", False),
        (0, "allow", True),
        (0, "failed", True),
        (0, "allow", False),
        (0.9, "allow", False),
    ],
    "one probe goes at a time": [
        *[(0, "failed", number == 2) for number in range(3)],
        (1, "allow", True),
        (1, "allow", False),
        (1.9, "allow", False),
    ],
    "a failed probe keeps it open": [
        *[(0, "failed", number == 2) for number in range(3)],
        (1, "allow", True),
        (1.5, "failed", False),
        (2, "allow", False),
        (2.5, "allow", True),
    ],
    "a probe that is abandoned is followed by another": [
        *[(0, "failed", number == 2) for number in range(3)],
        (1, "allow", True),
        (2, "allow", True),
    ],
    "a probe that succeeds closes it": [
        *[(0, "failed", number == 2) for number in range(3)],
        (1, "allow", True),
        (1, "succeeded", True),
        (1, "allow", True),
        (1, "allow", True),
        (1, "succeeded", False),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_breaker(story: list[tuple[float, str, bool]]) -> None:
    now = 0.0
    breaker = Breaker(failures=3, probe_every=1.0, clock=lambda: now)
    for number, (at, what, result) in enumerate(story):
        now = at
        assert getattr(breaker, what)() is result, (number, at, what)

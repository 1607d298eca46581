"""The circuit breaker."""

from __future__ import annotations

import pytest

from asgi_express.stores._breaker import Breaker

# What happens, and what the note returns.
STORIES = {
    "a success forgets the failures": [
        ("failed", False),
        ("failed", False),
        ("succeeded", False),
        ("failed", False),
        ("failed", False),
        ("is_open", False),
    ],
    "the third failure opens it": [
        ("failed", False),
        ("failed", False),
        ("is_open", False),
        ("failed", True),
        ("is_open", True),
    ],
    "a failure while it is open changes nothing": [
        *[("failed", number == 2) for number in range(3)],
        ("failed", False),
        ("is_open", True),
    ],
    "one success closes it": [
        *[("failed", number == 2) for number in range(4)],
        ("succeeded", True),
        ("is_open", False),
        ("succeeded", False),
        ("failed", False),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_breaker(story: list[tuple[str, bool]]) -> None:
    breaker = Breaker(failures=3)
    for number, (what, result) in enumerate(story):
        seen = getattr(breaker, what)
        assert (seen if isinstance(seen, bool) else seen()) is result, (number, what)

"""One at a time, in order, whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from asgi_express.middleware._turn import Turn


class Told:
    """What happens, in order; never two at a time."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.inside = 0
        self.came: list[int] = []
        self.went: list[int] = []

    async def come(self, number: int, steps: int) -> None:
        self.came.append(number)
        if self.turn.is_taken:
            await self.turn.wait()
        assert self.inside == 0
        self.turn.is_taken = True
        self.inside += 1
        try:
            for _ in range(steps):
                await asyncio.sleep(0)
            self.went.append(number)
        finally:
            self.inside -= 1
            self.turn.leave()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12),
    st.lists(st.integers(0, 4), min_size=12, max_size=12),
)
async def test_everybody_who_stays_has_a_turn_in_order(visitors: list[tuple[int, bool]], pauses: list[int]) -> None:
    told = Told()
    tasks = []
    for number, ((steps, _), pause) in enumerate(zip(visitors, pauses, strict=False)):
        tasks.append(asyncio.create_task(told.come(number, steps)))
        for _ in range(pause):
            await asyncio.sleep(0)
    for task, (_, is_cancelled), pause in zip(tasks, visitors, reversed(pauses), strict=False):
        if is_cancelled:
            task.cancel()
        for _ in range(pause):
            await asyncio.sleep(0)
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    assert told.went == sorted(told.went)
    assert {number for number, (_, is_cancelled) in enumerate(visitors) if not is_cancelled} <= set(told.went)
    assert not told.turn.is_taken


async def test_it_goes_on_where_the_one_that_it_was_handed_to_is_cancelled() -> None:
    told = Told()
    first, second, third = (asyncio.create_task(told.come(number, 1)) for number in range(3))
    await first  # hands it over to the second, which has not run since
    second.cancel()
    await third
    assert told.went == [0, 2]
    assert second.cancelled()
    assert not told.turn.is_taken

"""One at a time, in the order in which they come."""

import asyncio

from asgi_express.middleware._turn import Turn


async def waiting(turn: Turn, name: str, had: list[str]) -> None:
    await turn.wait()
    had.append(name)


def begun(turn: Turn, had: list[str], *names: str) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(waiting(turn, name, had)) for name in names]


async def test_it_goes_to_who_has_waited_longest_and_is_free_when_nobody_waits() -> None:
    turn, had = Turn(), list[str]()
    turn.is_taken = True
    first, second = begun(turn, had, "first", "second")
    await asyncio.sleep(0)
    turn.leave()
    await first
    assert (had, turn.is_taken) == (["first"], True)
    turn.leave()
    await second
    turn.leave()
    assert (had, turn.is_taken) == (["first", "second"], False)


async def test_who_has_gone_while_waiting_is_passed_over() -> None:
    turn, had = Turn(), list[str]()
    turn.is_taken = True
    gone, there = begun(turn, had, "gone", "there")
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    turn.leave()
    await there
    assert (had, turn.is_taken) == (["there"], True)


async def test_who_goes_when_it_has_been_handed_over_hands_it_on() -> None:
    turn, had = Turn(), list[str]()
    turn.is_taken = True
    gone, there = begun(turn, had, "gone", "there")
    await asyncio.sleep(0)
    turn.leave()
    gone.cancel()
    await there
    assert (had, gone.cancelled(), turn.is_taken) == (["there"], True, True)

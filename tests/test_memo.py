"""A memory that cannot grow without end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asgi_express._memo import Memo


@given(st.integers(1, 8), st.lists(st.integers(0, 20)))
def test_it_gives_back_what_was_kept_or_nothing_and_stays_small(most: int, asked: list[int]) -> None:
    memo: Memo[int, int] = Memo(most)
    for number in asked:
        assert memo.get(number) in (None, number * number)
        assert memo.keep(number, number * number) == memo.get(number) == number * number
        assert len(memo) <= most


def test_a_full_one_begins_anew() -> None:
    memo: Memo[str, int] = Memo(2)
    for name in ("a", "b", "c"):
        memo.keep(name, 1)
    assert list(memo) == ["c"]

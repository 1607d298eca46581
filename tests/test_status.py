"""Reason phrases."""

from __future__ import annotations

import pytest

from asgi_express._status import REASONS, reason


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (200, "OK"),
        (413, "Payload Too Large"),
        (418, "I'm a Teapot"),
        (422, "Unprocessable Entity"),
        (505, "HTTP Version Not Supported"),
        (299, "299"),
        (999, "999"),
    ],
)
def test_a_status_has_the_phrase_of_node_or_its_number(status: int, phrase: str) -> None:
    assert reason(status) == phrase


def test_phrases_are_plain_text_for_statuses_that_exist() -> None:
    assert all(100 <= status <= 599 for status in REASONS)
    assert all(phrase.isascii() and phrase.isprintable() and phrase for phrase in REASONS.values())

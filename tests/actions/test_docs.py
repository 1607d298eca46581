"""What is public says how it is used."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from asgi_express import actions
from asgi_express.actions import csrf

FUNCTIONS = [
    *(each for each in vars(actions).values() if inspect.isfunction(each)),
    *(each for each in vars(csrf).values() if inspect.isfunction(each) and each.__module__.endswith("csrf")),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_public_function_shows_an_example(function: Any) -> None:
    assert "Example" in (inspect.getdoc(function) or "")

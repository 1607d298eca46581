"""Vectors taken from the npm packages themselves, as data, and what reads them.

Each ``*.json`` names its oracle and holds, per function, rows of arguments and the answer that the
package gave for random arguments; ``{"error": words}`` where it threw.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HOSTILE = 64 * 1024
"""How long a hostile text is, in characters: what servers let through in one header."""


def rows(module: str, function: str) -> list[Any]:
    """Return the vectors of a function, as parameters of a test: ``(arguments, expected)``."""
    path = Path(__file__).with_name(f"{module}.json")
    found = json.loads(path.read_text(encoding="utf-8"))[function]
    return [pytest.param(args, want, id=f"{function}-{number}") for number, (args, want) in enumerate(found)]


def assert_linear(function: Callable[[], object]) -> None:
    """Check that a call takes less than 50 ms of the processor, best of five: linear work takes a tenth of it."""
    best = float("inf")
    for _ in range(5):
        start = time.thread_time()
        function()
        best = min(best, time.thread_time() - start)
        if best < 0.05:
            return
    assert best < 0.05

"""Browsers with a session in either home, and the ways to end one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asgi_express.middleware import Session
from asgi_express.middleware.session import SessionData
from tests.middleware.browsing import SECRET, Browser, Clock, FaultyStore

MINUTE, HOUR, DAY = 60, 3600, 86400


def in_cookie(clock: Clock, **options: Any) -> Browser:
    return Browser(Session, secret=SECRET, clock=clock, **options)


def in_store(clock: Clock, **options: Any) -> Browser:
    options.setdefault("store", FaultyStore(clock=clock))
    return Browser(Session, secret=SECRET, clock=clock, **options)


HOMES = pytest.mark.parametrize("home", [in_cookie, in_store])

ENDINGS: dict[str, Callable[[SessionData], Any]] = {
    "destroy": SessionData.destroy,
    "clear": SessionData.clear,
    "regenerate and nothing more": SessionData.regenerate,
    "the last key is deleted": lambda session: session.__delitem__("a"),
}

"""The options that relays share, checked when they are made."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from asgi_express.processes import Overflow, Processes
from asgi_express.processes._inbox import OVERFLOWS
from asgi_express.security.origins import OriginPolicy, OriginSpec, Tolerated
from asgi_express.types import ASGIApp

__all__ = ["check_options", "origin_policy"]


def check_options(
    owner: str, *, processes: Processes | None, buffer_size: int | None, overflow: Overflow, on_refused: ASGIApp | None
) -> None:
    """See that options can be.

    Raises:
        ValueError: one cannot.
    """
    if processes is not None and not isinstance(processes, Processes):
        _refuse(owner, "processes", "a Processes", processes)
    is_number = isinstance(buffer_size, int) and not isinstance(buffer_size, bool)
    if buffer_size is not None and not (is_number and buffer_size > 0):
        _refuse(owner, "buffer_size", "an integer of 1 or more", buffer_size)
    if overflow not in OVERFLOWS:
        _refuse(owner, "overflow", " or ".join(map(repr, OVERFLOWS)), overflow)
    if on_refused is not None and not callable(on_refused):
        _refuse(owner, "on_refused", "an ASGI app", on_refused)


def _refuse(owner: str, option: str, expected: str, given: Any) -> None:
    msg = f"{owner}: {option} must be {expected}, not {given!r}"
    raise ValueError(msg)


def origin_policy(owner: str, origins: OriginSpec, tolerate: Collection[Tolerated]) -> OriginPolicy:
    """Return the policy that an option stands for. What it guards depends on cookies, always.

    Raises:
        ValueError: an origin is wrong, or the policy was made without ``credentials=True``.
    """
    if not isinstance(origins, OriginPolicy):
        return OriginPolicy(origins, credentials=True, tolerate=tolerate, option=f"{owner}: allowed_origins")
    if not origins.credentials:
        msg = f"{owner}: allowed_origins is a policy that was made without credentials=True"
        raise ValueError(msg)
    return origins

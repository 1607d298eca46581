"""Switches of middleware: on or off, and nothing that only looks like it."""

from __future__ import annotations

from typing import Any

__all__ = ["check_flags"]


def check_flags(owner: str, **flags: Any) -> None:
    """See that switches are ``True`` or ``False``: the text ``"false"``, from the environment say, would be on.

    Args:
        owner: whose they are, for the words of the error.
        **flags: each by its name.

    Raises:
        ValueError: one is something else.
    """
    for name, given in flags.items():
        if not isinstance(given, bool):
            msg = f"{owner}: {name} must be True or False, not {given!r}"
            raise ValueError(msg)

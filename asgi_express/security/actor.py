"""Who acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asgi_express.security._values import freeze

__all__ = ["Actor"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody, or something, that asks: a user, a service.

    It cannot be changed, nor can what ``meta`` holds: that is copied, lists become tuples.

    Attributes:
        id: what it is known by; not empty.
        meta: facts about it, for the conditions of policies.

    Raises:
        TypeError: the id is not text, or ``meta`` is not a mapping.
        ValueError: the id is empty.

    Examples::

        Actor("ada")

        Actor("ada", {"role": "editor", "teams": ["compilers"]})
    """

    id: str
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not isinstance(self.meta, Mapping):
            msg = f"Actor: id must be text and meta a mapping, not {self.id!r} and {self.meta!r}"
            raise TypeError(msg)
        if not self.id:
            msg = "Actor: id must not be empty"
            raise ValueError(msg)
        object.__setattr__(self, "meta", freeze(self.meta))

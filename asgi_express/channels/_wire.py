"""What travels between processes: a channel and its data, as JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from asgi_express._json_text import loads

__all__ = ["Bus", "Deliver", "Message"]


@dataclass(frozen=True, slots=True)
class Message:
    """One publish on its way.

    Attributes:
        path: the parts of the channel's name.
        data: plain JSON values.
        typed: whether the data is an event of the class that is bound to the channel.
        id: the id in the stream, if there is one.
        attempt: how often it was delivered, this time included.
    """

    path: tuple[str, ...]
    data: Any
    typed: bool
    id: str | None = None
    attempt: int = 1

    def dump(self, **more: Any) -> bytes:
        """Return it as JSON, with further members. Not for programs.

        Raises:
            ValueError: a number is NaN or infinite.
        """
        envelope = {"channel": self.path, "typed": self.typed, "data": self.data, **more}
        return json.dumps(envelope, allow_nan=False, separators=(",", ":")).encode()

    @classmethod
    def load(cls, text: bytes, **more: Any) -> tuple[Message, dict[str, Any]]:
        """Return a message and its envelope. Not for programs.

        Raises:
            ValueError: it is not one.
        """
        envelope = loads(text.decode())
        try:
            path = tuple(map(str, envelope["channel"]))
            return cls(path, envelope["data"], envelope["typed"] is True, **more), envelope
        except (KeyError, TypeError) as error:
            msg = f"this is no message of a channel: {text[:200]!r}"
            raise ValueError(msg) from error


Deliver = Callable[[Message], Awaitable[Exception | None]]
"""Calls the subscribers of this process; returns what went wrong, all in one, and never raises it."""


class Bus(Protocol):
    """What carries messages between processes.

    Attributes:
        fan_out: whether every process gets every message, so that the publisher calls its own subscribers itself.
    """

    fan_out: bool

    def running(self, deliver: Deliver) -> AbstractAsyncContextManager[None]:
        """Deliver what comes in, until the block ends. Not for programs."""
        ...

    async def send(self, message: Message) -> str | None:
        """Send a message; return its id in the stream, if there is one. Not for programs."""
        ...

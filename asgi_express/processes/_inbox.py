"""Messages that wait for whoever is to read them: at most so many of them, whoever sends."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from asgi_express.errors import ExpressError

if TYPE_CHECKING:
    from typing import Self

__all__ = ["OVERFLOWS", "Inbox", "InboxClosed", "Message", "Overflow", "check_inbox"]

_log = logging.getLogger("asgi_express.processes")

Overflow: TypeAlias = Literal["drop_newest", "drop_oldest", "close"]
"""What happens to a message that finds no room: it is lost, the oldest is, or the inbox is closed."""

OVERFLOWS = ("drop_newest", "drop_oldest", "close")

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,100}\Z")


class InboxClosed(ExpressError):
    """An inbox is empty, and no message will come any more."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message.

    Attributes:
        topic: what it is about, in a word that the two ends agree on.
        payload: whatever it carries; it is handed over as it is, not copied.
        sender: the pid of the process or connection that sent it; ``None`` where nobody told.

    Example::

        Message("chat.said", {"text": "hello"}, sender="room-1").topic  # -> "chat.said"
    """

    topic: str
    payload: Any = None
    sender: str | None = None


class Inbox:
    """The messages of one pid, in the order in which they came. Made by ``Processes``.

    Attributes:
        pid: its address.
        reason: why it ended, in words; ``None`` before, and where a process returned.
        closed: whether no more messages are taken.
        watched: for those that it monitors, by pid, what makes it forget them.

    Example::

        inbox = processes.open("orders")
        processes.send(inbox.pid, "order.new", {"id": 7})
        (await inbox.receive()).payload  # -> {"id": 7}
    """

    __slots__ = (
        "_arrived",
        "_control",
        "_is_told",
        "_listeners",
        "_messages",
        "_numbers",
        "_on_close",
        "_over",
        "_overflow",
        "_room",
        "_size",
        "closed",
        "pid",
        "reason",
        "watched",
    )

    def __init__(
        self,
        pid: str,
        size: int,
        overflow: Overflow,
        control: Callable[[Message], bool] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.pid = pid
        self.reason: str | None = None
        self.closed = False
        self.watched: dict[str, Callable[[], None]] = {}
        self._size = size
        self._overflow = overflow
        self._control = control
        self._on_close = on_close
        self._messages: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._over = asyncio.Event()
        self._listeners: dict[int, Callable[[], None]] = {}
        self._numbers = count()
        self._is_told = False

    def __len__(self) -> int:
        return len(self._messages)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<Inbox {self.pid}: {len(self._messages)} of {self._size}{', closed' if self.closed else ''}>"

    # -- for who sends

    def put(self, message: Message, *, forced: bool = False) -> bool:
        """Add a message; tell whether it was taken. It never waits.

        Args:
            message: the message.
            forced: whether it is taken where there is no room, too: for what is said once in a life.

        Example: ``inbox.put(Message("tick"))`` is ``True``.
        """
        if self.closed:
            return False
        if self._control is not None and self._control(message):
            return True
        if len(self._messages) >= self._size and not forced:
            if not self._is_told:
                self._is_told = True
                _log.warning("%s: the inbox is full with %d messages: %s", self.pid, self._size, self._overflow)
            if self._overflow == "drop_newest":
                return False
            if self._overflow == "close":
                self.close("overflow")
                return False
            self._messages.popleft()
        self._messages.append(message)
        self._arrived.set()
        return True

    async def room(self) -> None:
        """Wait until there is room, or until it is closed.

        Example::

            await inbox.room()
            len(inbox)  # -> 0
        """
        while len(self._messages) >= self._size and not self.closed:
            self._room.clear()
            await self._room.wait()

    def close(self, reason: str | None = None) -> None:
        """Take no more messages. What is there can still be read.

        Args:
            reason: why, for who asks later.

        Example::

            inbox.close("the shop is closed")
            inbox.closed, inbox.reason  # -> (True, "the shop is closed")
        """
        if not self.closed:
            self.closed = True
            self.reason = reason
            self._arrived.set()
            self._room.set()
            if self._on_close is not None:
                self._on_close()

    # -- for who reads

    async def receive(self) -> Message:
        """Return the next message, and wait for it.

        Raises:
            InboxClosed: there is none, and none will come.

        Example::

            processes.send(inbox.pid, "tick", 1)
            (await inbox.receive()).payload  # -> 1
        """
        while not self._messages:
            if self.closed:
                msg = f"{self.pid}: no message will come any more"
                raise InboxClosed(msg)
            self._arrived.clear()
            await self._arrived.wait()
        message = self._messages.popleft()
        self._room.set()
        return message

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.receive()
        except InboxClosed:
            raise StopAsyncIteration from None

    # -- the end

    def on_end(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call a function when whoever reads it is gone; return what takes the function away again.

        Example::

            ends = []
            forget = inbox.on_end(lambda: ends.append("over"))
            processes.close(inbox)
            ends  # -> ["over"]
        """
        number = next(self._numbers)
        self._listeners[number] = listener
        return lambda: self._forget(number)

    def _forget(self, number: int) -> None:
        self._listeners.pop(number, None)

    def end(self, reason: str | None = None) -> None:
        """Say that whoever read it is gone. Not for programs: ``Processes`` does it."""
        self.close(reason)
        self.reason = reason or self.reason
        self._messages.clear()
        self._over.set()
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener()
        watched, self.watched = self.watched, {}
        for forget in watched.values():
            forget()

    async def ended(self) -> None:
        """Wait until whoever reads it is gone.

        Example::

            processes.close(inbox)
            await inbox.ended()  # -> None
        """
        await self._over.wait()


def check_inbox(name: str, size: int, overflow: Overflow) -> None:
    """See that an inbox can be.

    Raises:
        ValueError: it cannot.
    """
    if not isinstance(name, str) or not _NAME.match(name):
        msg = f"the name of an inbox must be at most 100 letters, digits and _ . : -, not {name!r:.200}"
        raise ValueError(msg)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        msg = f"size must be an integer of 1 or more, not {size!r}"
        raise ValueError(msg)
    if overflow not in OVERFLOWS:
        msg = f"overflow must be {', '.join(map(repr, OVERFLOWS))}, not {overflow!r}"
        raise ValueError(msg)

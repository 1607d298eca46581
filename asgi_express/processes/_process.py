"""What a process knows of itself, and what it can do."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from asgi_express.errors import MisuseError
from asgi_express.processes._inbox import Inbox, Message

if TYPE_CHECKING:
    from asgi_express.processes._processes import Processes

__all__ = ["Process", "current", "running"]

running: ContextVar[Process | None] = ContextVar("asgi_express.process", default=None)
"""The process that runs here."""


class Process:
    """What a process is given first: its pid, its inbox, and the ways to others.

    It is iterated over for its messages, until it is to end.

    Attributes:
        pid: its address.
        inbox: its messages.
        processes: those that it is one of.

    Example::

        async def echo(process):
            async for message in process:
                process.send(message.sender, "echo", message.payload)

        pid = processes.spawn(echo)
        processes.send(pid, "say", "hello", sender=inbox.pid)
        (await inbox.receive()).payload  # -> "hello"
    """

    __slots__ = ("inbox", "pid", "processes")

    def __init__(self, processes: Processes, inbox: Inbox) -> None:
        self.processes = processes
        self.inbox = inbox
        self.pid = inbox.pid

    def __repr__(self) -> str:
        return f"<Process {self.pid}>"

    def __aiter__(self) -> Inbox:
        return self.inbox

    async def receive(self) -> Message:
        """Return the next message, and wait for it.

        Raises:
            InboxClosed: the process is to end.

        Example::

            processes.send(process.pid, "tick", 1)
            (await process.receive()).payload  # -> 1
        """
        return await self.inbox.receive()

    def send(self, to: str | None, topic: str, payload: Any = None) -> bool:
        """Send a message in its own name; see :meth:`Processes.send`.

        Example::

            process.send(inbox.pid, "hello")  # -> True
            (await inbox.receive()).sender == process.pid  # -> True
        """
        return to is not None and self.processes.send(to, topic, payload, sender=self.pid)

    async def deliver(self, to: str | None, topic: str, payload: Any = None) -> bool:
        """Send a message in its own name, and wait for room; see :meth:`Processes.deliver`.

        Example::

            await process.deliver(inbox.pid, "hello")  # -> True
            (await inbox.receive()).sender == process.pid  # -> True
        """
        return to is not None and await self.processes.deliver(to, topic, payload, sender=self.pid)

    def monitor(self, pid: str) -> None:
        """Get a message ``process.exit`` when another one ends; see :meth:`Processes.monitor`.

        Example::

            process.monitor(inbox.pid)
            processes.close(inbox, "sold out")
            (await process.receive()).payload["reason"]  # -> "sold out"
        """
        self.processes.monitor(pid, self.pid)


def current() -> Process:
    """Return the process that runs here.

    Raises:
        MisuseError: none does.

    Example::

        async def worker(process):
            process.send(inbox.pid, "same", current() is process)

        pid = processes.spawn(worker)
        (await inbox.receive()).payload  # -> True
    """
    process = running.get()
    if process is None:
        msg = "current(): no process runs here"
        raise MisuseError(msg)
    return process

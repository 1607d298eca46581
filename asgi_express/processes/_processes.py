"""Processes: started, found by their pids, written to, and stopped together."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import re
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any

from asgi_express._units import parse_duration
from asgi_express.errors import HTTPError, MisuseError
from asgi_express.processes._inbox import Inbox, Message, Overflow, check_inbox
from asgi_express.processes._process import Process, running
from asgi_express.types import Duration

__all__ = ["EXIT", "Processes"]

EXIT = "process.exit"
"""The topic of the message that tells who monitors a process that it has ended: ``{"pid", "reason"}``."""

_log = logging.getLogger("asgi_express.processes")


class Processes:
    """Async functions that run beside the requests, each with an inbox and a pid.

    Args:
        buffer_size: how many messages an inbox holds.
        max_processes: how many processes and open inboxes there may be at a time.
        drain: how long processes may take to end when these are closed, after their inboxes were; then they are
            cancelled.

    Raises:
        TypeError: an option is of another kind.
        ValueError: an option is out of range.

    Examples::

        processes = Processes()
        app = Express(lifespan=processes.lifespan)
        processes.buffer_size  # -> 1024

        processes = Processes(buffer_size=64, max_processes=1000, drain="2s")
        len(processes)  # -> 0
    """

    def __init__(self, *, buffer_size: int = 1024, max_processes: int = 100_000, drain: Duration = 5.0) -> None:
        for name, value in (("buffer_size", buffer_size), ("max_processes", max_processes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                msg = f"Processes: {name} must be an integer of 1 or more, not {value!r}"
                raise ValueError(msg)
        self._drain = parse_duration(drain)
        if self._drain < 0:
            msg = f"Processes: drain must not be negative, not {drain!r}"
            raise ValueError(msg)
        self.buffer_size = buffer_size
        self._max = max_processes
        self._known: dict[str, Inbox] = {}
        self._names: dict[str, str] = {}
        self._own: dict[str, Inbox] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._own)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, pid: object) -> bool:
        return pid in self._known

    def join(self, others: Processes) -> None:
        """Know the pids and the names of others, and let them know these; each keep their limits and their end.

        Raises:
            MisuseError: there are processes here already.

        Example::

            other = Processes(buffer_size=16)
            other.join(processes)
            processes.open("orders").pid in other  # -> True
        """
        if self._own:
            msg = "join(): processes join others before the first of them is started"
            raise MisuseError(msg)
        self._known, self._names = others._known, others._names

    # -- starting

    def spawn(
        self,
        function: Callable[..., Coroutine[Any, Any, Any]],
        /,
        *arguments: Any,
        name: str | None = None,
        overflow: Overflow = "drop_newest",
        context: Context | None = None,
    ) -> str:
        """Start a function as a process, and return its pid.

        It runs until it returns. What it raises is logged, and told to those who monitor it. A pid cannot be guessed:
        who knows it may write to the process.

        Args:
            function: an async function of a :class:`Process` and the arguments.
            *arguments: what else it is given.
            name: what its pid begins with; by default the name of the function.
            overflow: what happens to a message that finds no room in its inbox.
            context: the context variables that it sees; by default a copy of those here.

        Raises:
            HTTPError: 503, there are ``max_processes`` already.
            MisuseError: these are closed.
            TypeError: it is no async function.
            ValueError: the name, or ``overflow``, cannot be.

        Example::

            pid = processes.spawn(greeter, "hello")
            processes.send(pid, "name", "Ada", sender=inbox.pid)  # -> True
            (await inbox.receive()).payload  # -> "hello, Ada"
        """
        inner = function
        while isinstance(inner, functools.partial):
            inner = inner.func
        if not inspect.iscoroutinefunction(inner) and not inspect.iscoroutinefunction(type(inner).__call__):
            msg = f"spawn(): expected an async function of (process, ...), got {function!r}"
            raise TypeError(msg)
        given = name or re.sub(r"[^A-Za-z0-9_.:]", "", getattr(inner, "__name__", "")) or "process"
        inbox = self.open(given, overflow=overflow)
        run = self._run(Process(self, inbox), function, arguments)
        try:
            task = asyncio.get_running_loop().create_task(run, name=inbox.pid, context=context)
        except BaseException:
            run.close()
            self._end(inbox, "it was not started")
            raise
        self._tasks[inbox.pid] = task
        task.add_done_callback(functools.partial(self._done, inbox))
        return inbox.pid

    @staticmethod
    async def _run(process: Process, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        running.set(process)
        await function(process, *arguments)

    def _done(self, inbox: Inbox, task: asyncio.Task[None]) -> None:
        del self._tasks[inbox.pid]
        reason = None
        if task.cancelled():
            reason = "cancelled"
        elif (error := task.exception()) is not None:
            reason = f"{type(error).__name__}: {error}"
            _log.error("process %s failed", inbox.pid, exc_info=error)
        self._end(inbox, reason)

    def open(
        self,
        name: str = "inbox",
        *,
        size: int | None = None,
        overflow: Overflow = "drop_newest",
        control: Callable[[Message], bool] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> Inbox:
        """Open an inbox that no process is behind: for code that is not one, a queue with an address.

        Args:
            name: what its pid begins with.
            size: how many messages it holds; ``buffer_size`` by default.
            overflow: what happens to a message that finds no room.
            control: called with each message first; one that it says ``True`` to has been dealt with.
            on_close: called when it takes no more messages.

        Raises:
            HTTPError: 503, there are ``max_processes`` already.
            MisuseError: these are closed.
            ValueError: the name, ``size`` or ``overflow`` cannot be.

        Example::

            inbox = processes.open("orders")
            processes.send(inbox.pid, "order.new", {"id": 7})  # -> True
            (await inbox.receive()).payload  # -> {"id": 7}
            processes.close(inbox)
        """
        size = self.buffer_size if size is None else size
        check_inbox(name, size, overflow)
        if self._closed:
            msg = "the processes are closed: none is started any more"
            raise MisuseError(msg)
        if len(self._own) >= self._max:
            msg = f"there are {self._max} processes already (max_processes)"
            raise HTTPError(503, msg, expose=False)
        inbox = Inbox(f"{name}-{secrets.token_urlsafe(16)}", size, overflow, control, on_close)
        self._known[inbox.pid] = self._own[inbox.pid] = inbox
        return inbox

    def close(self, inbox: Inbox, reason: str | None = None) -> None:
        """Close an inbox of :meth:`open`, and tell those who monitor it. A second time does nothing.

        Example::

            inbox = processes.open("orders")
            processes.close(inbox)
            inbox.pid in processes  # -> False
        """
        self._end(inbox, reason)

    def _end(self, inbox: Inbox, reason: str | None) -> None:
        if self._own.pop(inbox.pid, None) is None:
            return
        del self._known[inbox.pid]
        for name in [name for name, pid in self._names.items() if pid == inbox.pid]:
            del self._names[name]
        inbox.end(reason)

    # -- writing

    def find(self, pid: str) -> Inbox | None:
        """Return the inbox of a pid, or of a registered name; ``None`` where there is none.

        Example: ``processes.find("nobody")`` is ``None``.
        """
        return self._known.get(self._names.get(pid, pid))

    def send(self, pid: str, topic: str, payload: Any = None, *, sender: str | None = None) -> bool:
        """Put a message into an inbox; tell whether it was taken. It never waits.

        Args:
            pid: whose inbox: a pid, or a registered name.
            topic: what it is about.
            payload: whatever it carries.
            sender: whom to answer; by default the process that runs here.

        Raises:
            TypeError: the pid or the topic is no text.

        Example: ``processes.send("nobody", "hello")`` is ``False``.
        """
        _check(pid, topic)
        inbox = self.find(pid)
        return inbox is not None and inbox.put(Message(topic, payload, sender or _here()))

    async def deliver(self, pid: str, topic: str, payload: Any = None, *, sender: str | None = None) -> bool:
        """Put a message into an inbox, and wait for room; tell whether it was taken.

        The way for who can wait: nothing is lost, and whoever sends too much is slowed down. The arguments are those of
        :meth:`send`.

        Raises:
            TypeError: the pid or the topic is no text.

        Example: ``await processes.deliver("nobody", "hello")`` is ``False``.
        """
        _check(pid, topic)
        inbox = self.find(pid)
        if inbox is None:
            return False
        await inbox.room()
        return inbox.put(Message(topic, payload, sender or _here()))

    # -- names

    def register(self, name: str, pid: str) -> None:
        """Let a process be found by a name, until it ends.

        Raises:
            LookupError: there is no such process.
            MisuseError: the name is another's.

        Example::

            processes.register("orders", processes.open("orders").pid)
            processes.send("orders", "order.new", {"id": 7})  # -> True
        """
        if pid not in self._known:
            msg = f"register({name!r}): there is no process {pid!r}"
            raise LookupError(msg)
        if self._names.get(name, pid) != pid:
            msg = f"register({name!r}): the name is taken"
            raise MisuseError(msg)
        self._names[name] = pid

    # -- the end

    def monitor(self, pid: str, watcher: str) -> None:
        """Send a message ``process.exit`` to one when another ends; at once where it has ended.

        It carries ``{"pid", "reason"}``; the reason is ``None`` where a process returned.

        Raises:
            LookupError: there is no such watcher.

        Example::

            orders = processes.open("orders")
            processes.monitor(orders.pid, inbox.pid)
            processes.close(orders, "sold out")
            (await inbox.receive()).payload["reason"]  # -> "sold out"
        """
        watching = self.find(watcher)
        if watching is None:
            msg = f"monitor(): there is no process {watcher!r} to be told"
            raise LookupError(msg)
        inbox = self.find(pid)
        if inbox is None:
            watching.put(Message(EXIT, {"pid": pid, "reason": "there is no such process"}), forced=True)
            return

        def tell() -> None:
            watching.watched.pop(inbox.pid, None)
            watching.put(Message(EXIT, {"pid": inbox.pid, "reason": inbox.reason}, inbox.pid), forced=True)

        if inbox.pid not in watching.watched:
            watching.watched[inbox.pid] = inbox.on_end(tell)

    async def ended(self, pid: str) -> str | None:
        """Wait until a process has ended; return why, ``None`` where it returned.

        Example::

            pid = processes.spawn(greeter, "hello")
            processes.stop(pid)  # -> True
            await processes.ended(pid)  # -> "cancelled"
        """
        inbox = self.find(pid)
        if inbox is None:
            return None
        await inbox.ended()
        return inbox.reason

    def stop(self, pid: str) -> bool:
        """Cancel a process; tell whether there was one.

        Example: ``processes.stop("nobody")`` is ``False``.
        """
        task = self._tasks.get(self._names.get(pid, pid))
        return task is not None and task.cancel()

    @asynccontextmanager
    async def lifespan(self, app: Any = None) -> AsyncIterator[None]:
        """Let processes be started in a block, and end them after it: a lifespan for an application.

        Example::

            async with processes.lifespan():
                pid = processes.spawn(greeter, "hello")
            pid in processes  # -> False
        """
        del app
        self._closed = False
        try:
            yield
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Close all inboxes, let the processes end, and cancel those that do not in time.

        Example::

            pid = processes.spawn(greeter, "hello")
            await processes.aclose()
            pid in processes  # -> False
        """
        self._closed = True
        for inbox in [*self._own.values()]:
            inbox.close("shutdown")
        tasks = [*self._tasks.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._drain)
            for task in late:
                task.cancel()
            if late:
                _, stuck = await asyncio.wait(late, timeout=self._drain)
                for task in stuck:
                    _log.error("process %s goes on though it was cancelled", task.get_name())
        for inbox in [*self._own.values()]:
            if inbox.pid not in self._tasks:
                self._end(inbox, "shutdown")


def _here() -> str | None:
    process = running.get()
    return None if process is None else process.pid


def _check(pid: str, topic: str) -> None:
    if not isinstance(pid, str) or not isinstance(topic, str):
        msg = f"send(): a pid and a topic are text, got {pid!r} and {topic!r}"
        raise TypeError(msg)

"""One client that is relayed: an address of its own, the process that it is bound to, and how that ends."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

from asgi_express import _json
from asgi_express._scope import PROCESSES
from asgi_express.errors import MisuseError
from asgi_express.middleware._relay_config import Config, config_in
from asgi_express.processes import Inbox, Message, Overflow, Processes
from asgi_express.types import Scope

__all__ = ["GRACE", "PLAIN", "STALL", "Ending", "Relay", "abandon", "give_up", "kept", "processes_of", "writable"]

_log = logging.getLogger("asgi_express.relay")

GRACE = 5.0
"""Seconds that a client has to take what was on its way to it when the relay ends."""

STALL = 30.0
"""Seconds that a message waits for room in the inbox of a process. Meanwhile nobody reads the connection."""

PLAIN = ((b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"))
"""The headers of what a relay answers itself."""

# What spoke of a body that is dropped, and what belongs to one connection (RFC 9110 section 7.6.1).
_DROPPED = frozenset(
    {
        *(b"accept-ranges", b"cache-control", b"connection", b"content-digest", b"content-encoding", b"content-length"),
        *(b"content-range", b"content-type", b"digest", b"etag", b"keep-alive", b"last-modified", b"repr-digest"),
        *(b"trailer", b"transfer-encoding", b"upgrade", b"x-sse-relay", b"x-ws-relay"),
    }
)


Headers: TypeAlias = Iterable[tuple[bytes, bytes]]


class Ending(NamedTuple):
    """How a relay ends.

    Attributes:
        reason: in a word, for the process: ``"client"``, ``"target"``, ``"closed"``, ``"overflow"``, ``"stalled"``,
            ``"too big"``, ``"idle"``, ``"timeout"``, ``"shutdown"`` or ``"failed"``.
        code: of the close frame.
        words: in the close frame.
        drains: whether the client is to get what is on its way to it.
    """

    reason: str
    code: int = 1000
    words: str = ""
    drains: bool = False


class Relay:
    """One client, bound to a process or not.

    Args:
        processes: where both are found.
        kind: what its topics begin with.
        config: what the handler asked for.
        size: how many messages wait for a slow client.
        overflow: what happens to more.

    Raises:
        HTTPError: 503, there are too many.
    """

    def __init__(
        self, processes: Processes, kind: Literal["ws", "sse"], config: Config, size: int | None, overflow: Overflow
    ) -> None:
        self.config = config
        self.count = 0
        self._processes = processes
        self._kind = kind
        self._target: Inbox | None = None
        self._forget: Callable[[], None] | None = None
        self._loop = loop = asyncio.get_running_loop()
        self._started = self._active = loop.time()
        self._ending: asyncio.Future[Ending] = loop.create_future()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._has_joined = False
        self.inbox = processes.open(
            kind, size=size, overflow=overflow, control=self._control, on_close=self._inbox_closed
        )
        self.pid = self.inbox.pid

    # -- its life

    async def run(
        self,
        begin: Callable[[], Awaitable[None]],
        read: Callable[[], Coroutine[Any, Any, None]],
        write: Callable[[Message], Awaitable[None]],
    ) -> Ending:
        """Relay until it ends, whoever ends it; nothing of it is left then.

        Args:
            begin: answers the client.
            read: reads the client, until it has gone or :meth:`finish` was called.
            write: writes one message to the client; that of the topic ``sse.heartbeat`` says that it is alive.
        """
        tasks: list[asyncio.Task[None]] = []
        ending = Ending("client")
        try:
            try:
                await begin()
            except OSError:  # what servers raise where the client has gone (ASGI specification, HTTP 2.4)
                return ending
            self._attach(self.config.target_pid)
            self._set_timers()
            reader = asyncio.ensure_future(read())
            tasks.append(reader)
            writer = asyncio.ensure_future(self._write(write))
            tasks.append(writer)
            for task in tasks:
                task.add_done_callback(self._done)
            ending = await self._ending
            self.inbox.close()
            if ending.drains:
                await asyncio.wait([writer], timeout=GRACE)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            if self._has_joined:
                self._leave(ending.reason)
            else:
                abandon(self._processes, self._kind, self.config, ending.reason)
            self._processes.close(self.inbox, ending.reason)
            await _reap(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) and not isinstance(error, OSError):
                raise error
        return ending

    def finish(self, ending: Ending) -> None:
        """End it; the first who does so decides how."""
        if not self._ending.done():
            self._ending.set_result(ending)

    async def _write(self, write: Callable[[Message], Awaitable[None]]) -> None:
        async for message in self.inbox:
            if message.topic != "sse.heartbeat":
                self._active = self._loop.time()
            await write(message)

    def _done(self, task: asyncio.Task[None]) -> None:
        # A reader that returns has seen its client go; what fails is told by run().
        failed = not task.cancelled() and task.exception() is not None and not isinstance(task.exception(), OSError)
        self.finish(Ending("failed", 1011) if failed else Ending("client"))

    def _inbox_closed(self) -> None:
        if self.inbox.reason == "overflow":
            self.finish(Ending("overflow", 1013, "too slow"))
        else:
            self.finish(Ending("shutdown", 1012, "restarting", drains=True))

    # -- the process

    async def forward(self, payload: Any) -> None:
        """Hand a message of the client to the process, as soon as that has room."""
        self.count += 1
        target = self._target
        if target is None:
            return
        try:
            async with asyncio.timeout(STALL):
                await self._processes.deliver(target.pid, self.config.message_topic, payload, sender=self.pid)
        except TimeoutError:
            _log.warning("%s: %s has taken no message for %g seconds", self.pid, target.pid, STALL)
            self.finish(Ending("stalled", 1013, "busy"))

    def _attach(self, pid: str | None) -> None:
        """Bind it to a process, and tell the process. If there is none, that is the end."""
        self._has_joined = True
        if pid is None:
            return
        target = self._processes.find(pid)
        if target is None or target is self.inbox:
            self.finish(Ending("target", 1000, drains=True))
            return
        self._target = target
        self._forget = target.on_end(partial(self._target_ended, target))
        self._tell("join", {"client_pid": self.pid, "metadata": self.config.metadata}, forced=True)

    def _leave(self, reason: str) -> None:
        if self._target is not None and self._forget is not None:
            self._forget()
            facts = {"client_pid": self.pid, "reason": reason, "metadata": self.config.metadata}
            self._tell("leave", facts, forced=True)
            self._target = self._forget = None

    def _tell(self, word: str, payload: Mapping[str, Any], *, forced: bool = False) -> None:
        if self._target is not None:
            self._target.put(Message(f"{self._kind}.{word}", payload, self.pid), forced=forced)

    def _target_ended(self, target: Inbox) -> None:
        code = 1000 if target.reason in (None, "shutdown", "overflow") else 1011
        self._target = self._forget = None
        self.finish(Ending("target", code, drains=True))

    # -- what is said to it

    def _control(self, message: Message) -> bool:
        """Act on a message that is for the relay; tell whether it was one."""
        if message.topic == f"{self._kind}.close":
            self._close(message.payload)
        elif message.topic == f"{self._kind}.control":
            try:
                self._change(self.config.changed(message.payload))
            except ValueError as error:
                _log.warning("%s: %s.control is not followed: %s", self.pid, self._kind, error)
        elif self._kind == "sse" and message.topic not in (self.config.message_topic, "sse.heartbeat"):
            _log.debug("%s: a message %a is not for the client", self.pid, message.topic)
        else:
            return False
        return True

    def _close(self, payload: Any) -> None:
        code, words = 1000, payload if isinstance(payload, str) else ""
        if isinstance(payload, Mapping):
            code, words = payload.get("code", 1000), payload.get("reason", "")
        if not _may_be_sent(code) or not isinstance(words, str):
            _log.warning("%s: %s.close has a code or a reason that cannot be sent: %r", self.pid, self._kind, payload)
            code, words = 1000, ""
        # RFC 6455 section 5.5: a control frame has at most 125 bytes, two of which are the code.
        words = words.encode("utf-8", "replace")[:123].decode("utf-8", "ignore")
        self.finish(Ending("closed", code, words, drains=True))

    def _change(self, config: Config) -> None:
        old = self.config.target_pid
        if config.target_pid is not None and self._processes.find(config.target_pid) is None:
            msg = f"there is no process {config.target_pid!r}"
            raise ValueError(msg)
        if config.target_pid != old:
            self._leave("moved")
        self.config = config
        if config.target_pid != old:
            self._attach(config.target_pid)
        self._set_timers()

    # -- time

    def _set_timers(self) -> None:
        """Start the timers that the configuration asks for. They are the loop's: no task waits for them."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        config = self.config
        if config.heartbeat_interval:
            self._timers["beat"] = self._loop.call_later(config.heartbeat_interval, self._beat)
        if config.hard_timeout:
            left = self._started + config.hard_timeout
            self._timers["hard"] = self._loop.call_at(left, self.finish, Ending("timeout", drains=True))
        if config.idle_timeout:
            self._timers["idle"] = self._loop.call_at(self._active + config.idle_timeout, self._check_idle)

    def _beat(self) -> None:
        facts = {"uptime": int(self._loop.time() - self._started), "message_count": self.count}
        self._tell("heartbeat", {"client_pid": self.pid, **facts, "metadata": self.config.metadata})
        if self._kind == "sse" and not len(self.inbox):
            self.inbox.put(Message("sse.heartbeat"))
        self._timers["beat"] = self._loop.call_later(self.config.heartbeat_interval or 0, self._beat)

    def _check_idle(self) -> None:
        due = self._active + (self.config.idle_timeout or 0)
        if due <= self._loop.time():
            self.finish(Ending("idle", drains=True))
        else:
            self._timers["idle"] = self._loop.call_at(due, self._check_idle)


def abandon(processes: Processes, kind: str, config: Config, reason: str) -> None:
    """Tell a process that the client it was started for does not come: else it would wait for ever."""
    target = None if config.target_pid is None else processes.find(config.target_pid)
    if target is not None:
        facts = {"client_pid": None, "reason": reason, "metadata": config.metadata}
        target.put(Message(f"{kind}.leave", facts), forced=True)


def give_up(processes: Processes | None, scope: Scope, kind: Literal["ws", "sse"], headers: Headers, why: str) -> None:
    """Tell the process that an answer names, if there is one, that the client does not come.

    Args:
        processes: those that the middleware was given.
        scope: of the request.
        kind: of the relay.
        headers: of the answer.
        why: in a word.
    """
    with contextlib.suppress(ValueError, MisuseError):
        abandon(processes_of(processes, scope, "a relay"), kind, config_in(kind, headers), why)


def processes_of(given: Processes | None, scope: Scope, owner: str) -> Processes:
    """Return the processes that a middleware was given, or those of the gateway.

    Raises:
        MisuseError: there are neither.
    """
    found: Processes | None = scope.get(PROCESSES) if given is None else given
    if found is None:
        msg = f"{owner}: no gateway is around it; give it the option processes=Processes()"
        raise MisuseError(msg)
    return found


def kept(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer that stay when its body is replaced by a stream."""
    return [(name.lower(), value) for name, value in headers if name.lower() not in _DROPPED]


def writable(value: Any, what: str) -> str | None:
    """Return a payload as JSON, bytes in base64; ``None``, and a line in the log, where it cannot be."""
    if isinstance(value, bytes | bytearray | memoryview):
        value = base64.b64encode(value).decode("ascii")
    try:
        return _json.dumps(value)
    except (TypeError, ValueError) as error:
        _log.error("%s: a message cannot be written as JSON, and is dropped: %s", what, error)
        return None


def _may_be_sent(code: Any) -> bool:
    # RFC 6455 section 7.4: what an endpoint may send; 1005, 1006 and 1015 stand for frames that were not there.
    if isinstance(code, bool) or not isinstance(code, int):
        return False
    return 3000 <= code <= 4999 or code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)


async def _reap(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and see them end, even if that is cancelled itself."""
    for task in tasks:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled

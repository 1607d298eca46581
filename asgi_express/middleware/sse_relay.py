"""Event streams that are fed by processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection

from asgi_express._scope import next_app
from asgi_express.errors import HTTPError
from asgi_express.middleware._relay import GRACE, PLAIN, Relay, abandon, give_up, kept, processes_of, writable
from asgi_express.middleware._relay_config import config_in
from asgi_express.middleware._relay_options import check_options, origin_policy
from asgi_express.middleware._respond import drop, respond
from asgi_express.middleware._upgrade import UPGRADING
from asgi_express.processes import Message as Sent
from asgi_express.processes import Overflow, Processes
from asgi_express.security.origins import OriginSpec, Tolerated
from asgi_express.security.provenance import cross_site
from asgi_express.sse import Event
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SSERelay"]

_log = logging.getLogger("asgi_express.relay")

_STREAM = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


class SSERelay:
    """Turn an answer into an event stream that a process feeds: ``router.post_match(SSERelay(processes=processes))``.

    The handler answers with the header ``X-SSE-Relay``, a JSON object; its body is dropped, and its other headers stay.
    The stream is an address of its own: what is sent to its pid on the topic ``message_topic`` is an event of that
    name, text as it is, bytes in base64, all else as JSON.

    - ``target_pid``: the process. It is told ``sse.join``, ``sse.heartbeat`` (``client_pid``, ``uptime`` in seconds,
      ``message_count``, ``metadata``) and ``sse.leave`` (with a ``reason``). When it ends, the stream does. Without it
      the stream is detached: its first event is ``ready``, ``{"stream_pid", "message_topic"}``.
    - ``message_topic`` (``sse.message``), ``heartbeat_interval`` (``30s``; ``0`` for none; the client gets a comment),
      ``idle_timeout`` (without an event), ``hard_timeout``, and ``metadata``, an object.
    - A message ``sse.control`` to the stream changes any of these: another ``target_pid`` moves it, ``""`` detaches it.
      ``sse.close`` ends it. The last event is ``done``, ``{"reason"}``, whoever ended it.
    - Pages of other origins are refused, by ``Sec-Fetch-Site`` or ``Origin``: before the handler runs where the request
      accepts ``text/event-stream``, else when it asks for the relay. A client that sends neither is no page.
    - What is wrong with the header is 500 and a line in the log; a process that is not there, 503.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        allowed_origins: whose pages may read the stream, besides those of the host itself; all that
            :class:`OriginPolicy` takes.
        tolerate: which origins are admitted that are refused otherwise; see :class:`OriginPolicy`.
        processes: where processes are found; in a gateway, its own.
        buffer_size: how many events wait for a slow client; by default as many as an inbox of ``processes`` holds.
        overflow: what happens to more: ``"close"`` ends the stream, ``"drop_oldest"`` and ``"drop_newest"`` lose some.
        on_refused: an ASGI app that answers pages of other origins.

    Raises:
        ValueError: an option cannot be.

    Examples::

        app.post_match(SSERelay(processes=processes))

        app.post_match(
            SSERelay(
                processes=processes,
                allowed_origins=["https://app.example.com"],
                buffer_size=16,
                overflow="drop_oldest",
            )
        )
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        allowed_origins: OriginSpec = (),
        tolerate: Collection[Tolerated] = (),
        processes: Processes | None = None,
        buffer_size: int | None = None,
        overflow: Overflow = "close",
        on_refused: ASGIApp | None = None,
    ) -> None:
        check_options(
            "SSERelay", processes=processes, buffer_size=buffer_size, overflow=overflow, on_refused=on_refused
        )
        self.app = app
        self._origins = origin_policy("SSERelay", allowed_origins, tolerate)
        self._processes = processes
        self._size = buffer_size
        self._overflow: Overflow = overflow
        self._on_refused = _refuse if on_refused is None else on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, and relay if it asks for that."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wants = any(name == b"accept" and b"text/event-stream" in value.lower() for name, value in scope["headers"])
        if wants and await self._is_refused(scope, receive, send):
            return
        asked: Message | None = None

        async def noting(message: Message) -> None:
            nonlocal asked
            if asked is not None:
                await drop(message)  # the body of the app
                return
            if message["type"] == "http.response.start" and "headers" in message:
                pairs = [(bytes(name), bytes(value)) for name, value in message["headers"]]
                rest = [pair for pair in pairs if pair[0].lower() != b"x-sse-relay"]
                if len(rest) < len(pairs) and 200 <= message["status"] < 300:
                    asked = {**message, "headers": pairs}
                    return
                message = {**message, "headers": rest}
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except BaseException:
            if asked is not None:
                give_up(self._processes, scope, "sse", asked["headers"], "failed")
            raise
        if asked is not None:
            await self._start(asked["headers"], scope, receive, send, is_checked=wants)

    async def _is_refused(self, scope: Scope, receive: Receive, send: Send) -> bool:
        reason = await cross_site(scope, self._origins, allow_unknown=True)
        if reason is not None:
            _log.warning("%a: an event stream is refused: %s", scope["path"], reason)
            await self._on_refused(scope, receive, send)
        return reason is not None

    async def _start(
        self, headers: list[tuple[bytes, bytes]], scope: Scope, receive: Receive, send: Send, *, is_checked: bool
    ) -> None:
        """Begin the stream that the app asks for, or say why not."""
        processes = processes_of(self._processes, scope, "SSERelay")
        try:
            config = config_in("sse", headers)
        except ValueError as error:
            _log.error("%a: X-SSE-Relay cannot be followed: %s", scope["path"], error)
            await respond(scope, send, 500, PLAIN, b"Internal Server Error\n")
            return
        if not is_checked and await self._is_refused(scope, receive, send):
            abandon(processes, "sse", config, "refused")
            return
        if UPGRADING in scope:
            _log.error("%a: an event stream is no answer to a WebSocket handshake", scope["path"])
            abandon(processes, "sse", config, "refused")
            await respond(scope, send, 400, PLAIN, b"Bad Request\n")
            return
        start = {"type": "http.response.start", "status": 200, "headers": [*kept(headers), *_STREAM]}
        if scope["method"] == "HEAD":
            abandon(processes, "sse", config, "refused")
            await send(start)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        if config.target_pid is not None and processes.find(config.target_pid) is None:
            _log.error("%a: X-SSE-Relay: there is no process %a", scope["path"], config.target_pid)
            await respond(scope, send, 503, PLAIN, b"Service Unavailable\n")
            return
        try:
            relay = Relay(processes, "sse", config, self._size, self._overflow)
        except HTTPError as error:
            _log.error("%a: X-SSE-Relay: %s", scope["path"], error)
            abandon(processes, "sse", config, "refused")
            await respond(scope, send, error.status, PLAIN, b"Service Unavailable\n")
            return
        await _Stream(relay, start, receive, send).run()


class _Stream:
    """One stream to one client."""

    def __init__(self, relay: Relay, start: Message, receive: Receive, send: Send) -> None:
        self._relay = relay
        self._start = start
        self._receive = receive
        self._send = send

    async def run(self) -> None:
        """Relay until one side has enough."""
        ending = await self._relay.run(self._begin, self._read, self._write)
        if ending.reason == "client":
            return
        # A client that does not read would hold this for ever; the server closes what is not complete.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(GRACE):
                if ending.drains:
                    await self._push(Event({"reason": ending.words or ending.reason}, event="done"))
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self) -> None:
        await self._send(self._start)
        config = self._relay.config
        if config.target_pid is None:
            facts = {"stream_pid": self._relay.pid, "message_topic": config.message_topic}
            await self._push(Event(facts, event="ready"))
        else:
            await self._push(Event(comment=""))  # the client learns at once that it is connected

    async def _read(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _write(self, message: Sent) -> None:
        if message.topic == "sse.heartbeat":
            await self._push(Event(comment=""))
            return
        payload = message.payload
        text = payload if isinstance(payload, str) else writable(payload, self._relay.pid)
        if text is not None:
            self._relay.count += 1
            await self._push(Event(text, event=message.topic))

    async def _push(self, event: Event) -> None:
        await self._send({"type": "http.response.body", "body": str(event).encode(), "more_body": True})


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(scope, send, 403, PLAIN, b"Forbidden\n")

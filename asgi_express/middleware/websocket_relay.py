"""WebSockets that are handed to processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

from asgi_express import _json
from asgi_express._scope import MATCH, next_app
from asgi_express._units import parse_bytes
from asgi_express.errors import HTTPError
from asgi_express.middleware._paths import Paths
from asgi_express.middleware._relay import GRACE, PLAIN, Ending, Relay, abandon, give_up, processes_of, writable
from asgi_express.middleware._relay_config import config_in
from asgi_express.middleware._relay_options import check_options, origin_policy
from asgi_express.middleware._respond import drop, respond
from asgi_express.middleware._upgrade import UPGRADING, Upgrade
from asgi_express.processes import Message as Sent
from asgi_express.processes import Overflow, Processes
from asgi_express.security.origins import OriginSpec, Tolerated
from asgi_express.security.provenance import cross_site
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send, Size

__all__ = ["WebSocketRelay"]

_log = logging.getLogger("asgi_express.relay")


class WebSocketRelay:
    """Hand WebSockets to processes: ``router.post_match(WebSocketRelay(processes=processes))``.

    A handshake is given to the handler of ``GET`` as a request without a body. If it answers with the header
    ``X-WS-Relay``, a JSON object, the WebSocket is accepted, with the other headers of the answer; else it is refused
    with the answer, where the server can send one, or closed. The connection is an address of its own.

    - ``target_pid``, required: the process. It is told ``ws.join``, what the client says (text as ``str``, binary as
      ``bytes``, the sender is the pid of the connection) on ``message_topic`` (``ws.message``), ``ws.heartbeat`` every
      ``heartbeat_interval`` (``30s``; ``0`` for none) with ``client_pid``, ``uptime`` in seconds, ``message_count`` and
      ``metadata``, and ``ws.leave`` with a ``reason``. When it ends, the connection is closed.
    - What is sent to the connection is a text frame, ``{"topic", "data"}``, bytes in base64. ``ws.control`` moves it to
      another process; ``ws.close``, ``{"code", "reason"}``, closes it.
    - Pages of other origins are refused before the handler runs, by ``Sec-Fetch-Site`` or ``Origin``. Browsers always
      send ``Origin`` with a handshake: a client without one is no page, and passes.
    - A client that says more than its process takes is not read on; after 30 seconds it is closed with 1013.
    - In a router it stands after the match. A route of ``ws`` is not its business. Around any other app, ``paths`` says
      which handshakes are.
    - A plain request to such a handler is 426. What is wrong with the header is 500 and a line in the log; a process
      that is not there, 503.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        allowed_origins: whose pages may connect, besides those of the host itself; all that :class:`OriginPolicy`
            takes.
        tolerate: which origins are admitted that are refused otherwise; see :class:`OriginPolicy`.
        paths: outside of a router's ``post_match``, the handshakes that are relayed: ``"/chat"``, ``"/rooms/*"``, or a
            function of the scope. Other WebSockets pass as they are.
        processes: where processes are found; in a gateway, its own.
        buffer_size: how many messages wait for a slow client; by default as many as an inbox of ``processes`` holds.
        overflow: what happens to more: ``"close"`` closes with 1013, ``"drop_oldest"`` and ``"drop_newest"`` lose
            messages.
        max_message_size: bytes that a message of the client may have; more closes with 1009.
        on_refused: an ASGI app that answers pages of other origins.

    Raises:
        ValueError: an option cannot be.

    Examples::

        app.post_match(WebSocketRelay(processes=processes))

        app.post_match(
            WebSocketRelay(
                processes=processes,
                allowed_origins=["https://app.example.com"],
                buffer_size=64,
                overflow="drop_oldest",
                max_message_size="16kb",
            )
        )
    """

    upgrades = True  # behind the match of a router: handshakes go to the routes of GET

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        allowed_origins: OriginSpec = (),
        tolerate: Collection[Tolerated] = (),
        paths: str | Sequence[str] | Callable[[Scope], bool] = (),
        processes: Processes | None = None,
        buffer_size: int | None = None,
        overflow: Overflow = "close",
        max_message_size: Size = "1mb",
        on_refused: ASGIApp | None = None,
    ) -> None:
        check_options(
            "WebSocketRelay", processes=processes, buffer_size=buffer_size, overflow=overflow, on_refused=on_refused
        )
        try:
            self._most = parse_bytes(max_message_size)
        except (TypeError, ValueError) as error:
            msg = f"WebSocketRelay: max_message_size: {error}"
            raise ValueError(msg) from None
        given = [paths] if isinstance(paths, str) else paths
        self.app = app
        self._origins = origin_policy("WebSocketRelay", allowed_origins, tolerate)
        self._has_path = given if callable(given) else Paths(given, "WebSocketRelay: paths")
        self._processes = processes
        self._size = buffer_size
        self._overflow: Overflow = overflow
        self._on_refused = _refuse if on_refused is None else on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, and relay if it asks for that."""
        if scope["type"] == "http" and UPGRADING not in scope:
            await self._refuse_to_stream(scope, receive, send)
        elif scope["type"] == "websocket" and self._is_its(scope):
            await self._shake_hands(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_its(self, scope: Scope) -> bool:
        record = scope.get(MATCH)
        if self.app is next_app and record is not None and record.route is scope.get("route"):
            return "WEBSOCKET" not in record.methods
        return self._has_path(scope) is True

    async def _refuse_to_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 426 where a handler asks for a relay that the client did not ask for: nobody else is to see a pid."""
        headers: list[tuple[bytes, bytes]] | None = None

        async def noting(message: Message) -> None:
            nonlocal headers
            if headers is not None:
                await drop(message)
                return
            if message["type"] == "http.response.start" and "headers" in message:
                pairs = [(bytes(name), bytes(value)) for name, value in message["headers"]]
                if any(name.lower() == b"x-ws-relay" for name, _ in pairs):
                    headers = pairs
                    upgrade = [*PLAIN, (b"upgrade", b"websocket"), (b"connection", b"upgrade")]
                    await respond(scope, send, 426, upgrade, b"Upgrade Required\n")
                    return
                message = {**message, "headers": pairs}
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            if headers is not None:
                give_up(self._processes, scope, "ws", headers, "no upgrade")

    async def _shake_hands(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the handler decide about a handshake."""
        reason = await cross_site(scope, self._origins, allow_unknown=True)
        if reason is not None:
            _log.warning("%a: a WebSocket is refused: %s", scope["path"], reason)
            await self._on_refused(scope, receive, send)
            return
        processes = processes_of(self._processes, scope, "WebSocketRelay")
        if (await receive())["type"] != "websocket.connect":
            return
        upgrade = Upgrade(scope, send)
        try:
            await upgrade.ask(self.app)
        except BaseException:
            if upgrade.headers is not None:
                give_up(processes, scope, "ws", upgrade.headers, "failed")
            raise
        if upgrade.headers is None:
            return
        try:
            config = config_in("ws", upgrade.headers)
        except ValueError as error:
            _log.error("%a: X-WS-Relay cannot be followed: %s", scope["path"], error)
            await respond(scope, send, 500, PLAIN, b"Internal Server Error\n")
            return
        if processes.find(config.target_pid or "") is None:
            _log.error("%a: X-WS-Relay: there is no process %a", scope["path"], config.target_pid)
            await respond(scope, send, 503, PLAIN, b"Service Unavailable\n")
            return
        try:
            relay = Relay(processes, "ws", config, self._size, self._overflow)
        except HTTPError as error:
            _log.error("%a: X-WS-Relay: %s", scope["path"], error)
            abandon(processes, "ws", config, "refused")
            await respond(scope, send, 503, PLAIN, b"Service Unavailable\n")
            return
        await self._talk(relay, upgrade, receive, send)

    async def _talk(self, relay: Relay, upgrade: Upgrade, receive: Receive, send: Send) -> None:
        async def begin() -> None:
            await send(upgrade.acceptance())

        async def read() -> None:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    return
                text = message.get("text")
                payload = message.get("bytes") if text is None else text
                if _is_longer(payload, self._most):
                    relay.finish(Ending("too big", 1009, "message too big"))
                    return
                await relay.forward(payload)

        async def write(message: Sent) -> None:
            data = writable(message.payload, relay.pid)
            if data is not None:
                text = f'{{"topic":{_json.dumps(message.topic)},"data":{data}}}'
                await send({"type": "websocket.send", "text": text})

        ending = await relay.run(begin, read, write)
        if ending.reason == "client":
            return
        # A client that does not read would hold this for ever; the server ends what is not closed.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(GRACE):
                await send({"type": "websocket.close", "code": ending.code, "reason": ending.words})


def _is_longer(payload: Any, most: int) -> bool:
    if not isinstance(payload, str):
        return len(payload) > most
    # A character has at most four bytes: nearly always there is nothing to encode.
    return len(payload) > most or (len(payload) * 4 > most and len(payload.encode("utf-8", "surrogatepass")) > most)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(scope, send, 403, PLAIN, b"Forbidden\n")

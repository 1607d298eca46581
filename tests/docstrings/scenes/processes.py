"""Processes, and what relays clients to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asgi_express.processes import Message, Process, Processes
from tests.docstrings.scene import Ask, Names, Scene


async def greeter(process: Process, greeting: str) -> None:
    async for message in process:
        process.send(message.sender, "greeting", f"{greeting}, {message.payload}")


def some() -> Names:
    processes = Processes()
    inbox = processes.open("orders")
    process = Process(processes, processes.open("worker"))
    return {"processes": processes, "inbox": inbox, "process": process, "greeter": greeter, "Message": Message}


async def close(names: Names) -> None:
    await names["processes"].aclose()


@dataclass(frozen=True, kw_only=True)
class Among(Scene):
    """A module with processes: an inbox, and one that is a process."""

    names: Any = some
    last: Any = close


def relaying(header: str) -> Any:
    """Return what registers a handler that asks for a relay."""
    return lambda names: names["app"].get("/", lambda req, res: res.set(header, "{}").end())


STREAM = Among(
    then=relaying("X-SSE-Relay"), asks=[Ask("HEAD /", sends={"content-type": "text/event-stream; charset=utf-8"})]
)
SOCKET = Among(then=relaying("X-WS-Relay"), asks=[Ask("GET /", "Upgrade Required\n", 426)])

SCENES: dict[str, Scene] = {
    "processes": Among(),
    "middleware.sse_relay.SSERelay#1": STREAM,
    "middleware.sse_relay.SSERelay#2": STREAM,
    "middleware.websocket_relay.WebSocketRelay#1": SOCKET,
    "middleware.websocket_relay.WebSocketRelay#2": SOCKET,
}

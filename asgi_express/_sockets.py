"""WebSockets as Starlette drives them. Imported with the first of them: Starlette's module is a sixth of our import."""

from __future__ import annotations

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

__all__ = ["WebSocket", "WebSocketDisconnect", "close_if_open"]


async def close_if_open(socket: WebSocket, code: int) -> None:
    """Close a WebSocket that neither side has closed."""
    if socket.application_state == socket.client_state == WebSocketState.CONNECTED:
        await socket.close(code)

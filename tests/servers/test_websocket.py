"""WebSockets through every server, with a real client."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.servers.running import Running

# Servers without the extension "websocket.http.response": all that they can say is 403.
NO_DENIAL_RESPONSE = {"daphne": "it knows no answer to a handshake but to accept or close it"}


def opened(server: Running, target: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}{target}", open_timeout=10, close_timeout=10)


@pytest.mark.parametrize(
    ("target", "name"),
    [("/ws/lobby", "lobby"), ("/ws/a%2Fb", "a/b"), ("/ws/%C3%BC?x=1", "ü")],
    ids=["plain", "%2F", "ü"],
)
def test_a_websocket_has_its_parameter_and_echoes(server: Running, target: str, name: str) -> None:
    with opened(server, target) as socket:
        assert json.loads(socket.recv(timeout=10)) == {"room": name, "base_url": ""}
        for text in ("one", "two", "ü" * 1000):
            socket.send(text)
            assert socket.recv(timeout=10) == f"{name}: {text}"


@pytest.mark.parametrize(
    ("target", "status", "body"),
    [
        ("/private/ws", 401, '{"error":"who are you?"}'),
        ("/ws/%ff", 400, "Bad Request"),
        ("/nope", 404, "Cannot GET /nope"),
        ("/user/1", 404, "Cannot GET /user/1"),
    ],
    ids=["middleware", "undecodable", "nothing there", "a route of another kind"],
)
def test_a_handshake_is_refused_with_an_answer(server: Running, target: str, status: int, body: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        opened(server, target)
    response = refused.value.response
    if server.name in NO_DENIAL_RESPONSE:
        assert (response.status_code, response.body or b"") == (403, b"")
    else:
        assert response.status_code == status
        assert body in bytes(response.body or b"").decode()
        assert response.headers["x-powered-by"] == "Express"


def test_a_mounted_app_refuses_a_handshake_itself(server: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        opened(server, "/starlette/nope")
    assert refused.value.response.status_code == 403
